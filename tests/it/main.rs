//! Everything a user can see, tested from outside through one binary.

mod house; // the rules of this repository
mod layers; // which module may use which
