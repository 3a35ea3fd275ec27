//! The sentences about reporters, with the store on PostgreSQL.

#![expect(clippy::duplicate_mod, reason = "the same tests run on both databases")]

mod desk {
    //! The same desk with a database of its own.

    use std::ops::{Deref, DerefMut};

    pub(in crate::intake) use crate::intake::desk::{Answer, acme_token, record, sha256};
    use crate::support::postgres::new_database;

    pub(in crate::intake) struct Desk(crate::intake::desk::Desk);

    impl Desk {
        pub(in crate::intake) async fn open(further: &str) -> Self {
            Self(crate::intake::desk::Desk::open_at(further, Some(new_database().await)).await)
        }
    }

    impl Deref for Desk {
        type Target = crate::intake::desk::Desk;

        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }

    impl DerefMut for Desk {
        fn deref_mut(&mut self) -> &mut Self::Target {
            &mut self.0
        }
    }
}

#[path = "github.rs"]
mod github;
#[path = "others.rs"]
mod others;
