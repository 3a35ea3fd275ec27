//! The words of `unleak token` about organisations, users, members, projects and service identities.

use clap::Subcommand;

use crate::token_service::model::Role;

/// `unleak token organisation`.
#[derive(Debug, Subcommand)]
pub enum OrganisationAction {
    /// Make an organisation
    Create {
        /// Its name in URLs
        slug: String,
        /// Its name for people
        #[arg(long)]
        name: String,
    },
    /// Delete an organisation: its tokens stop, and no other reaches it; everything is kept
    Delete {
        /// The organisation
        slug: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        cause: String,
    },
    /// Take that back
    Restore {
        /// The organisation
        slug: String,
    },
    /// List organisations
    List,
}

/// `unleak token user`.
#[derive(Debug, Subcommand)]
pub enum UserAction {
    /// Make a user
    Create {
        /// Short unique name
        login: String,
        /// Address for mail
        #[arg(long)]
        email: String,
        /// Name for people
        #[arg(long)]
        name: String,
    },
    /// Stop all tokens of a user at once
    Deactivate {
        /// The user
        login: String,
    },
    /// Let the tokens of a user work again that were not revoked
    Activate {
        /// The user
        login: String,
    },
    /// List users
    List,
}

/// `unleak token member`.
#[derive(Debug, Subcommand)]
pub enum MemberAction {
    /// Make a user a member, or change the role
    Add {
        /// The organisation
        organisation: String,
        /// The user
        login: String,
        /// owner, admin or member
        #[arg(long)]
        role: Role,
    },
    /// End a membership; the user's tokens reach the organisation no more
    Remove {
        /// The organisation
        organisation: String,
        /// The user
        login: String,
    },
    /// List members with their roles
    List {
        /// The organisation
        organisation: String,
    },
}

/// `unleak token project`.
#[derive(Debug, Subcommand)]
pub enum ProjectAction {
    /// Make a project
    Create {
        /// The organisation
        organisation: String,
        /// Its name in URLs
        slug: String,
        /// Its name for people
        #[arg(long)]
        name: String,
    },
    /// List the projects of an organisation
    List {
        /// The organisation
        organisation: String,
    },
    /// Let a member see, make and stop the tokens of a project
    AddAdministrator {
        /// The organisation
        organisation: String,
        /// The project
        project: String,
        /// The user
        login: String,
    },
    /// End that
    RemoveAdministrator {
        /// The organisation
        organisation: String,
        /// The project
        project: String,
        /// The user
        login: String,
    },
}

/// `unleak token identity`.
#[derive(Debug, Subcommand)]
pub enum IdentityAction {
    /// Make a service identity
    Create {
        /// The organisation
        organisation: String,
        /// Its name in the audit log
        slug: String,
        /// Its name for people
        #[arg(long)]
        name: String,
        /// The project that it belongs to; without one it belongs to the whole organisation
        #[arg(long, value_name = "PROJECT")]
        project: Option<String>,
    },
    /// Stop all tokens of a service identity at once
    Deactivate {
        /// The organisation
        organisation: String,
        /// The service identity
        slug: String,
    },
    /// Let the tokens of a service identity work again that were not revoked
    Activate {
        /// The organisation
        organisation: String,
        /// The service identity
        slug: String,
    },
    /// List the service identities of an organisation
    List {
        /// The organisation
        organisation: String,
    },
}
