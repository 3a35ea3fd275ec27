//! The words of `unleak token`. A token is never among them: what stands in argv is seen by every process.

use clap::{ArgGroup, Args, Subcommand};

use crate::token_service::model::Role;

/// Manage the embedded token service: organisations issue tokens, and their owners can stop each of them
#[derive(Debug, Args)]
#[command(after_help = "Examples, from nothing to a token:
  unleak token organisation create acme --name 'Acme Ltd'
  unleak token user create ann --email ann@acme.example --name 'Ann Archer'
  unleak token member add acme ann --role owner
  unleak token create --user ann --scope tokens:read --scope tokens:revoke --description 'incident desk' --expires-in 30d
  unleak token review --organisation acme")]
pub struct TokenArgs {
    /// Where tokens are kept, as sqlite:///var/lib/unleak/tokens.db
    #[arg(long, global = true, value_name = "URL")]
    pub store: Option<String>,
    /// Who does this, for the audit log
    #[arg(long, global = true, value_name = "NAME", default_value = "command line")]
    pub by: String,
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What `unleak token` does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Make a token and print it, once and alone, to stdout
    Create(CreateArgs),
    /// List tokens with holder, last use and state; never the tokens themselves
    List(ListArgs),
    /// Revoke a token everywhere, or block it for one organisation
    Revoke(RevokeArgs),
    /// List tokens that should be smaller or gone
    Review(ReviewArgs),
    /// Which tokens an organisation lets in
    #[command(subcommand)]
    Policy(PolicyAction),
    /// Organisations
    #[command(subcommand)]
    Organisation(OrganisationAction),
    /// Users
    #[command(subcommand)]
    User(UserAction),
    /// Members of an organisation
    #[command(subcommand)]
    Member(MemberAction),
    /// Projects of an organisation
    #[command(subcommand)]
    Project(ProjectAction),
    /// Print the audit log, oldest line first
    Audit(AuditArgs),
}

/// Arguments of `unleak token create`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("holder").required(true).args(["user", "project", "organisation"]),
    after_help = "Examples:
  unleak token create --project acme/shop --scope events:write --description 'shop, production' --expires-in 90d
  unleak token create --user ann --scope members:read --description 'laptop' > token.txt")]
pub struct CreateArgs {
    /// A user token, of this login
    #[arg(long, value_name = "LOGIN")]
    pub user: Option<String>,
    /// A project token: the default for anything that is no person
    #[arg(long, value_name = "ORG/PROJECT")]
    pub project: Option<String>,
    /// A token for a whole organisation
    #[arg(long, value_name = "ORG", requires = "reason")]
    pub organisation: Option<String>,
    /// Why a project token would not do, for --organisation
    #[arg(long, value_name = "TEXT", requires = "organisation")]
    pub reason: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: String,
    /// What it may do; give it once for each scope
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    pub scopes: Vec<String>,
    /// When it ends by itself, as 90d or 12h; without this it never does
    #[arg(long, value_name = "SPAN")]
    pub expires_in: Option<String>,
}

/// Arguments of `unleak token list`.
#[derive(Debug, Args)]
#[command(after_help = "Example: unleak token list --organisation acme")]
pub struct ListArgs {
    /// Only tokens that can reach this organisation
    #[arg(long, value_name = "ORG", conflicts_with = "user")]
    pub organisation: Option<String>,
    /// Only tokens of this user
    #[arg(long, value_name = "LOGIN")]
    pub user: Option<String>,
}

/// Arguments of `unleak token revoke`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unleak token revoke 3fK9aLqZ71mXc0Rt --cause 'found in a public repository'
  unleak token revoke 3fK9aLqZ71mXc0Rt --organisation acme --cause 'contractor left'
  unleak token revoke - --cause 'found in a log' < token.txt")]
pub struct RevokeArgs {
    /// The token's id, or - to read the token itself from stdin
    pub id: String,
    /// Why; it is kept with the token
    #[arg(long, value_name = "TEXT")]
    pub cause: String,
    /// Block it for this organisation alone; it lives on for others
    #[arg(long, value_name = "ORG")]
    pub organisation: Option<String>,
}

/// Arguments of `unleak token review`.
#[derive(Debug, Args)]
#[command(after_help = "Example: unleak token review --organisation acme --unused-days 30")]
pub struct ReviewArgs {
    /// Only tokens that can reach this organisation
    #[arg(long, value_name = "ORG")]
    pub organisation: Option<String>,
    /// Days after which an unused token is listed
    #[arg(long, value_name = "DAYS", default_value_t = crate::token_service::review::UNUSED_DAYS,
        value_parser = clap::value_parser!(i64).range(0..=36_500))]
    pub unused_days: i64,
}

/// `unleak token policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyAction {
    /// Print the policy as JSON
    Show {
        /// The organisation
        organisation: String,
    },
    /// Change the policy; what is not named stays as it is
    Set(PolicySetArgs),
}

/// Arguments of `unleak token policy set`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unleak token policy set acme --refuse-user-tokens true --dry-run
  unleak token policy set acme --allowed-scopes events:write,members:read --max-lifetime-days 90")]
pub struct PolicySetArgs {
    /// The organisation
    pub organisation: String,
    /// Let in no token of a person
    #[arg(long, value_name = "true|false")]
    pub refuse_user_tokens: Option<bool>,
    /// Let in only tokens whose scopes are all among these
    #[arg(
        long,
        value_name = "SCOPES",
        value_delimiter = ',',
        conflicts_with = "any_scope"
    )]
    pub allowed_scopes: Option<Vec<String>>,
    /// Let in every scope again
    #[arg(long)]
    pub any_scope: bool,
    /// Let in only tokens made to live so many days at most
    #[arg(long, value_name = "DAYS", conflicts_with = "any_lifetime")]
    pub max_lifetime_days: Option<i64>,
    /// Let in every lifetime again
    #[arg(long)]
    pub any_lifetime: bool,
    /// Let in only tokens that end by themselves
    #[arg(long, value_name = "true|false")]
    pub expiry_required: Option<bool>,
    /// Change nothing; list the living tokens that would be turned away
    #[arg(long)]
    pub dry_run: bool,
}

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
}

/// Arguments of `unleak token audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Print no line; check that none was edited or taken out
    #[arg(long)]
    pub verify: bool,
}
