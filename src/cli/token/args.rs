//! The words of `unleak token`. A token is never among them: what stands in argv is seen by every process.

use clap::{ArgGroup, Args, Subcommand};

use super::people_args::{IdentityAction, MemberAction, OrganisationAction, ProjectAction, UserAction};
use crate::token_service::audit::AuditHead;
use crate::token_service::model::Access;

/// Manage the embedded token service: organisations issue tokens, and their owners can stop each of them
#[derive(Debug, Args)]
#[command(after_help = "Examples, from nothing to a token:
  unleak token organisation create acme --name 'Acme Ltd'
  unleak token user create ann --email ann@acme.example --name 'Ann Archer'
  unleak token member add acme ann --role owner
  unleak token create --user ann --scope tokens:read --scope tokens:revoke --description 'incident desk' --expires-in 30d
  unleak token review --organisation acme")]
pub struct TokenArgs {
    /// Where tokens are kept, as sqlite:///var/lib/unleak/tokens.db or postgres://user@host/unleak
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
    /// Let a token in again that was blocked for an organisation
    Unblock(AskArgs),
    /// Ask the owner of a user token to stop it; it lives on
    Ask(AskArgs),
    /// List tokens that should be smaller or gone, with what would do
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
    /// Service identities: who acts where no person does
    #[command(subcommand)]
    Identity(IdentityAction),
    /// Server keys, by name
    #[command(subcommand)]
    Key(KeyAction),
    /// List the presets that tokens can be made by
    Presets,
    /// Print the audit log, oldest line first
    Audit(AuditArgs),
}

/// Arguments of `unleak token create`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("holder").required(true).args(["user", "project", "organisation"]),
    after_help = "Examples:
  unleak token create --project acme/shop --scope events:write --description 'shop, production' --expires-in 90d
  unleak token create --project acme/shop --preset sdk --identity web --description 'web shop'
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
    #[arg(long = "scope", value_name = "SCOPE", required_unless_present = "preset")]
    pub scopes: Vec<String>,
    /// A ready-made set of scopes, with a lifetime; `unleak token presets` lists them
    #[arg(long, value_name = "NAME", conflicts_with = "scopes")]
    pub preset: Option<String>,
    /// The service identity that it is for, of a project or organisation token
    #[arg(long, value_name = "SLUG", conflicts_with = "user")]
    pub identity: Option<String>,
    /// Do not make it if its scopes do anything else: read-only, write-only or mixed
    #[arg(long, value_name = "ACCESS")]
    pub access: Option<Access>,
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

/// Arguments of `unleak token unblock` and `unleak token ask`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unleak token ask 3fK9aLqZ71mXc0Rt --organisation acme --cause 'please use a project token'
  unleak token unblock 3fK9aLqZ71mXc0Rt --organisation acme --cause 'it was a test'")]
pub struct AskArgs {
    /// The token's id
    pub id: String,
    /// The organisation
    #[arg(long, value_name = "ORG")]
    pub organisation: String,
    /// Why; it is kept with the token
    #[arg(long, value_name = "TEXT")]
    pub cause: String,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// One page for people
    Html,
}

/// Arguments of `unleak token review`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unleak token review --organisation acme --unused-days 30
  unleak token review --format html > review.html")]
pub struct ReviewArgs {
    /// Only tokens that can reach this organisation
    #[arg(long, value_name = "ORG")]
    pub organisation: Option<String>,
    /// Days after which an unused token is listed [default: serve.review.unused_days, 90]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(0..=36_500))]
    pub unused_days: Option<i64>,
    /// How it is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: Format,
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
    /// List the tokens that used the organisation lately and would stop; change nothing
    Impact(ImpactArgs),
}

/// Arguments of `unleak token policy impact`.
#[derive(Debug, Args)]
#[command(after_help = "Example: unleak token policy impact acme --refuse-user-tokens true --days 30")]
pub struct ImpactArgs {
    /// The policy, as `policy set` takes it
    #[command(flatten)]
    pub policy: PolicySetArgs,
    /// How far back use counts
    #[arg(long, value_name = "DAYS", default_value_t = crate::token_service::IMPACT_DAYS,
        value_parser = clap::value_parser!(i64).range(1..=36_500))]
    pub days: i64,
    /// How it is written: text or json
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: Format,
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

/// `unleak token key`.
#[derive(Debug, Subcommand)]
pub enum KeyAction {
    /// List the server keys that this store has known, and how many living tokens need each
    List,
    /// Give a key up; living tokens that were not seen since it was replaced are revoked
    Retire {
        /// The key's name, as `key list` shows it
        id: String,
    },
}

/// Arguments of `unleak token audit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unleak token audit --verify
  unleak token audit --verify --head 812:5f0c…    # an end that was printed before and kept elsewhere
  unleak token audit --jsonl > audit.jsonl")]
pub struct AuditArgs {
    /// Print no line; check that none was edited, taken out or cut off
    #[arg(long)]
    pub verify: bool,
    /// An end of the log that an earlier --verify printed: the log must go through it
    #[arg(long, value_name = "NUMBER:HEX", requires = "verify")]
    pub head: Option<AuditHead>,
    /// One JSON object a line
    #[arg(long, conflicts_with = "verify")]
    pub jsonl: bool,
    /// Only lines of this organisation
    #[arg(long, value_name = "ORG", conflicts_with = "verify")]
    pub organisation: Option<String>,
}
