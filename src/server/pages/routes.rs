//! The table of the pages: each route with who may use it. There is no other way to add one.

use std::sync::Arc;

use axum::response::Response;
use futures_util::future::BoxFuture;

use super::door::Asked;
use super::trouble::Trouble;
use super::{
    act, assets, elsewhere, leak, leaks, live, org_policy, org_tokens, organisations, policy, services, sign,
    tasks, trends, users,
};
use crate::config::dashboard::BACK;
use crate::token_service::Right;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody. A form of such a route is protected by a cookie of its own.
    Anyone,
    /// Whoever is signed in; what they see is theirs.
    SignedIn,
    /// Whoever has this right in an organisation that the leak's token opens.
    Leak(Right),
    /// Whoever has this right in the organisation of the path.
    Organisation(Right),
    /// Whoever runs the server.
    Operator,
}

pub(super) type Answer = Result<Response, Trouble>;
pub(super) type Handler = Arc<dyn Fn(Asked) -> BoxFuture<'static, Answer> + Send + Sync>;

/// A route.
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its path, names in braces.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    pub(super) handler: Handler,
}

fn get<F, A>(path: &'static str, access: Access, handler: F) -> Route
where
    F: Fn(Asked) -> A + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    Route {
        method: "GET",
        path,
        access,
        handler: Arc::new(move |asked| Box::pin(handler(asked))),
    }
}

fn post<F, A>(path: &'static str, access: Access, handler: F) -> Route
where
    F: Fn(Asked) -> A + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    Route {
        method: "POST",
        ..get(path, access, handler)
    }
}

/// Every route of the pages.
pub fn table() -> Vec<Route> {
    let mut all = of_everybody();
    all.extend(of_leaks());
    all.extend(of_operators());
    all.extend(of_organisations());
    all
}

fn of_everybody() -> Vec<Route> {
    vec![
        get("/", Access::SignedIn, leaks::home),
        get("/sign-in", Access::Anyone, sign::form),
        post("/sign-in", Access::Anyone, sign::begin),
        get("/sign-in/oidc", Access::Anyone, elsewhere::begin),
        get(BACK, Access::Anyone, elsewhere::back),
        post("/sign-out", Access::SignedIn, sign::end),
        get("/assets/{name}", Access::Anyone, assets::file),
        get("/leaks", Access::SignedIn, leaks::list),
        get("/trends", Access::SignedIn, trends::page),
        get("/services", Access::SignedIn, services::page),
        get("/policy", Access::SignedIn, policy::page),
        get("/organisations", Access::SignedIn, organisations::list),
    ]
}

fn of_leaks() -> Vec<Route> {
    let see = Access::Leak(Right::ReadLeaks);
    let end = Access::Leak(Right::EndLeaks);
    vec![
        get("/leaks/{fingerprint}/{service}/{kind}", see, leak::page),
        get("/leaks/{fingerprint}/{service}/{kind}/events", see, live::events),
        get(
            "/leaks/{fingerprint}/{service}/{kind}/plan/{action}",
            end,
            act::plan,
        ),
        post(
            "/leaks/{fingerprint}/{service}/{kind}/act/{action}",
            end,
            act::confirmed,
        ),
        post("/leaks/{fingerprint}/{service}/{kind}/approve", end, act::approve),
        post("/leaks/{fingerprint}/{service}/{kind}/dismiss", end, act::dismiss),
        post(
            "/leaks/{fingerprint}/{service}/{kind}/reinstate",
            end,
            act::reinstate,
        ),
        post("/leaks/{fingerprint}/{service}/{kind}/verify", end, act::verify),
    ]
}

fn of_operators() -> Vec<Route> {
    vec![
        post("/policy", Access::Operator, policy::switch),
        get("/tasks", Access::Operator, tasks::page),
        post("/tasks", Access::Operator, tasks::requeue),
        post("/organisations", Access::Operator, organisations::add),
        get("/users", Access::Operator, users::list),
        post("/users", Access::Operator, users::add),
        post("/users/{login}", Access::Operator, users::turn),
        get("/audit", Access::Operator, org_policy::whole_audit),
    ]
}

fn of_organisations() -> Vec<Route> {
    let of = Access::Organisation;
    let (members, tokens) = (of(Right::WriteMembers), of(Right::ReadTokens));
    let policy = of(Right::ReadPolicy);
    vec![
        get("/organisations/{org}", of(Right::ReadMembers), organisations::one),
        post("/organisations/{org}/members", members, organisations::set_member),
        post(
            "/organisations/{org}/projects",
            members,
            organisations::add_project,
        ),
        get("/organisations/{org}/tokens", tokens, org_tokens::list),
        post(
            "/organisations/{org}/tokens",
            of(Right::CreateTokens),
            org_tokens::create,
        ),
        post(
            "/organisations/{org}/tokens/{id}",
            of(Right::RevokeTokens),
            org_tokens::stop,
        ),
        get("/organisations/{org}/policy", policy, org_policy::page),
        post(
            "/organisations/{org}/policy",
            of(Right::WritePolicy),
            org_policy::save,
        ),
        post("/organisations/{org}/policy/preview", policy, org_policy::preview),
        get("/organisations/{org}/review", tokens, org_policy::review),
        get(
            "/organisations/{org}/audit",
            of(Right::ReadAudit),
            org_policy::audit,
        ),
    ]
}
