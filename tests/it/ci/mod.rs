//! `unleak ci` and the Action, in a harness that plays GitHub's runner; and other CI systems by their environment.

mod action;
mod events;
mod forks;
mod outside;
mod remarks;
mod runner;

use runner::{Checkout, Desk};
