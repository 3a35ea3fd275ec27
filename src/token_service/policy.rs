//! Which tokens an organisation lets in. Pure: a policy and a token give a reason or none.
//!
//! A refusal counts for this organisation alone; a refused user token must live on for all others.

use crate::token_service::format::TokenKind;
use crate::token_service::model::{Scopes, Time, Token};

/// What an organisation asks of the tokens that reach it. The default lets every token in.
///
/// As JSON every field must be written, so that a field left out never loosens anything.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    sqlx::FromRow,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct OrganisationPolicy {
    /// No token of a person gets in, only those of the organisation and its projects.
    pub refuse_user_tokens: bool,
    /// A token with any other scope is refused; `null` allows all.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    pub allowed_scopes: Option<Scopes>,
    /// Longest time between creation and expiry, in days; `null` sets no limit.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true, minimum = 1, maximum = 36500)]
    pub max_lifetime_days: Option<i64>,
    /// A token without expiry is refused.
    pub expiry_required: bool,
}

/// What a policy looks at in a token.
#[derive(Clone, Copy, Debug)]
pub struct Applicant<'a> {
    /// To whom it belongs.
    pub kind: TokenKind,
    /// What it may do.
    pub scopes: &'a Scopes,
    /// When it was made.
    pub created_at: Time,
    /// When it ends by itself.
    pub expires_at: Option<Time>,
}

impl<'a> From<&'a Token> for Applicant<'a> {
    fn from(token: &'a Token) -> Self {
        Self {
            kind: token.kind,
            scopes: &token.scopes,
            created_at: token.created_at,
            expires_at: token.expires_at,
        }
    }
}

impl OrganisationPolicy {
    /// Why the organisation refuses the token; `None` lets it in.
    pub fn refusal(&self, token: Applicant<'_>) -> Option<String> {
        if self.refuse_user_tokens && token.kind == TokenKind::User {
            return Some(
                "this organisation refuses user tokens; use a token of the organisation or of a project"
                    .into(),
            );
        }
        if let Some(allowed) = &self.allowed_scopes
            && let Some(scope) = token.scopes.iter().find(|scope| !allowed.contains(scope))
        {
            return Some(format!("this organisation does not allow the scope {scope}"));
        }
        let Some(end) = token.expires_at else {
            return (self.expiry_required || self.max_lifetime_days.is_some())
                .then(|| "this organisation refuses tokens without expiry".into());
        };
        let days = self.max_lifetime_days?;
        (end > token.created_at.plus_days(days))
            .then(|| format!("this organisation refuses tokens that live longer than {days} days"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Applicant, OrganisationPolicy};
    use crate::token_service::format::TokenKind;
    use crate::token_service::model::{Scopes, Time};

    fn refusal(policy: &OrganisationPolicy, kind: TokenKind, days: Option<i64>) -> Option<String> {
        let scopes = Scopes::new(["events:write", "members:read"]).unwrap();
        let made = Time::from_seconds(1_000_000);
        policy.refusal(Applicant {
            kind,
            scopes: &scopes,
            created_at: made,
            expires_at: days.map(|days| made.plus_days(days)),
        })
    }

    #[test]
    fn the_default_policy_lets_every_token_in() {
        assert_eq!(
            refusal(&OrganisationPolicy::default(), TokenKind::User, None),
            None
        );
    }

    #[test]
    fn refusing_user_tokens_lets_project_and_organisation_tokens_in() {
        let policy = OrganisationPolicy {
            refuse_user_tokens: true,
            ..Default::default()
        };
        assert!(refusal(&policy, TokenKind::User, None).is_some_and(|why| why.contains("user tokens")));
        assert_eq!(refusal(&policy, TokenKind::Project, None), None);
        assert_eq!(refusal(&policy, TokenKind::Organisation, None), None);
    }

    #[test]
    fn a_single_scope_beyond_the_allowed_ones_is_enough_to_be_refused_and_is_named() {
        let policy = OrganisationPolicy {
            allowed_scopes: Some(Scopes::new(["events:write"]).unwrap()),
            ..Default::default()
        };
        assert!(refusal(&policy, TokenKind::Project, None).is_some_and(|why| why.contains("members:read")));
    }

    #[test]
    fn a_token_may_live_as_long_as_allowed_and_not_a_day_longer() {
        let policy = OrganisationPolicy {
            max_lifetime_days: Some(90),
            ..Default::default()
        };
        assert_eq!(refusal(&policy, TokenKind::User, Some(90)), None);
        assert!(refusal(&policy, TokenKind::User, Some(91)).is_some_and(|why| why.contains("90 days")));
        assert!(refusal(&policy, TokenKind::User, None).is_some_and(|why| why.contains("without expiry")));
    }

    #[test]
    fn a_policy_with_a_field_left_out_or_misspelt_is_not_read() {
        let read = |text: &str| serde_json::from_str::<OrganisationPolicy>(text);
        let whole = r#"{"refuse_user_tokens":false,"allowed_scopes":null,"max_lifetime_days":null,"expiry_required":false}"#;
        assert_eq!(read(whole).unwrap(), OrganisationPolicy::default());
        assert!(read(&whole.replace(r#""allowed_scopes":null,"#, "")).is_err());
        assert!(read(&whole.replace("expiry_required", "expiry_requird")).is_err());
    }
}
