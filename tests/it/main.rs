//! Tests of the whole program: real binary, real router, real database.

mod token_service; // the embedded token service over HTTP and at the command line
