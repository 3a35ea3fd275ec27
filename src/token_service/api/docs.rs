//! The OpenAPI document, from the code: what each handler says of itself, and what may go wrong everywhere.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr};
use utoipa::{OpenApi as _, ToSchema as _};

use crate::token_service::api::reply::Problem;

/// The document without its paths.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "unleak token service",
        description = "Organisations issue their own tokens, and their owners can stop each of them. Failures are \
                       problem+json (RFC 9457), except under /oauth and at /api/v1/token, which speak as RFC 6749 does."
    ),
    components(schemas(Problem, Oauth))
)]
struct Document;

/// A failure in the words of OAuth.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[schema(as = OauthError)]
struct Oauth {
    error: String,
    error_description: String,
}

/// What may go wrong with any request, and with those that have a body.
const ALWAYS: &[(&str, &str)] = &[
    ("400", "The request makes no sense as it stands"),
    ("401", "No credential, or one that is not accepted"),
    ("403", "The bearer may not do this"),
    ("404", "There is none, or it is none of the bearer's business"),
    ("408", "The request took too long"),
    ("429", "Too many requests"),
    ("503", "The token store does not answer; nothing is known"),
];
const WITH_BODY: &[(&str, &str)] = &[
    ("409", "There already, or asked for otherwise before"),
    ("413", "The body is too large"),
    ("415", "The body is of another type"),
    ("422", "The body has other fields than this request takes"),
];

/// The document to begin with.
pub(super) fn document() -> OpenApi {
    let mut document = Document::openapi();
    if let Some(components) = &mut document.components {
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", bearer);
    }
    document
}

/// The document as it is served.
pub(super) fn finished(mut document: OpenApi) -> String {
    for (path, item) in &mut document.paths.paths {
        let speaks_oauth = path.starts_with("/oauth/") || path == "/api/v1/token";
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            finish(operation, path, speaks_oauth);
        }
    }
    document.to_json().unwrap_or_default()
}

fn finish(operation: &mut Operation, path: &str, speaks_oauth: bool) {
    let bodies = if operation.request_body.is_some() {
        WITH_BODY
    } else {
        &[]
    };
    for (status, told) in ALWAYS.iter().chain(bodies) {
        let response = RefOr::T(failure(told, speaks_oauth));
        operation
            .responses
            .responses
            .insert((*status).to_owned(), response);
    }
    if path != "/oauth/revoke" {
        operation.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    }
}

fn failure(told: &str, speaks_oauth: bool) -> Response {
    let (kind, schema) = if speaks_oauth {
        ("application/json", "OauthError".to_owned())
    } else {
        ("application/problem+json", Problem::name().into_owned())
    };
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .build();
    ResponseBuilder::new()
        .description(told)
        .content(kind, content)
        .build()
}
