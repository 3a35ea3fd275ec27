//! Everything a user can see, tested from outside through one binary.

mod call; // one request, sent safely and read
mod history; // git: history, index, ranges
mod house; // the rules of this repository
mod layers; // which module may use which
mod owner; // who must hear
mod revoke; // the ways to end a token, against services that refuse, delay and lie
mod scan; // files, folders, standard input
mod support; // what the tests share
mod template; // filling a call in: no value leaves its place
mod verify; // verdicts and identities
