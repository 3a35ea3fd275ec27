//! Everything a user can see, tested from outside through one binary.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where, and stops"
)]

mod house; // the rules of this repository
mod layers; // which module may use which
mod report; // text, JSON and SARIF of reports made by hand
mod sarif; // SARIF in detail
mod sarif_validator; // SARIF through Microsoft's validator
mod support; // what several test modules need
