//! Everything together, as one binary: real databases, real servers on loopback, real git.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where, and stops"
)]

mod call; // calls: where they may go, how often, what is read
mod notify; // what owners are told, by real SMTP and HTTP on loopback
mod owner; // finding owners, asked of local services and read from CODEOWNERS
mod policy; // what may be done about a leak: the table of decisions
mod respond; // the life of one leak, cut off anywhere and run again
mod revoke; // the ways to end a token, against local services that refuse, delay and lie
mod store; // what is remembered, in real SQLite files
mod support; // what several test modules need
mod template; // filling a call in: no value leaves its place
mod verify; // verdicts and identities
