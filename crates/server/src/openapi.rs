//! What all operations of the OpenAPI document have in common.

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContactBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr,
};
use utoipa::{PartialSchema, ToSchema};

use crate::auth::SESSION_COOKIE;
use crate::problem::responses::problem_response;

const DESCRIPTION: &str = "\
Hermez takes commits to production on Kubernetes.

Times are RFC 3339 in UTC; durations are whole milliseconds. Lists are pages: give `next_cursor` as \
`cursor` to go on. Errors are `application/problem+json` (RFC 9457) with a stable `type` and a \
`hint`. What starts work takes an `Idempotency-Key`; what edits takes `If-Match`. Streams are \
server-sent events.";

/// Title, tags and security of the document.
pub fn base() -> OpenApi {
    let license = LicenseBuilder::new()
        .name("Apache-2.0")
        .identifier(Some("Apache-2.0"))
        .build();
    let tags = [
        ("workloads", "What is deployed, and how it does."),
        (
            "commits",
            "Branches and commits of a workload's repository.",
        ),
        ("builds", "From a commit to an artifact."),
        ("deploys", "From an artifact to running pods."),
        ("scale", "How many pods there are, and who says so."),
        (
            "rules",
            "What holds deploys back: windows, freezes, approvals, locks.",
        ),
        (
            "pull requests",
            "Pull requests, and their previews beside what runs.",
        ),
        ("runs", "Runs of cron jobs, by schedule and by hand."),
        ("access", "Who may do what, and who did what."),
        ("webhooks", "What forges tell."),
        ("server", "The server itself."),
    ];
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Hermez")
                .version("1")
                .description(Some(DESCRIPTION))
                .license(Some(license))
                .contact(Some(
                    ContactBuilder::new()
                        .name(Some("The people who run this server"))
                        .build(),
                ))
                .build(),
        )
        .tags(Some(tags.map(|(name, text)| {
            TagBuilder::new().name(name).description(Some(text)).build()
        })))
        .security(Some([
            SecurityRequirement::new::<_, [String; 0], String>("token", []),
            SecurityRequirement::new::<_, [String; 0], String>("session", []),
        ]))
        .components(Some(components()))
        .build()
}

fn components() -> Components {
    let mut components = Components::new();
    components.add_security_scheme(
        "token",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("An API token."))
                .build(),
        ),
    );
    components.add_security_scheme(
        "session",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            SESSION_COOKIE,
            "A browser's session. What changes something must come from the server's own pages.",
        ))),
    );
    let mut schemas = Vec::new();
    hermez_api::Problem::schemas(&mut schemas);
    schemas.push((
        hermez_api::Problem::name().into_owned(),
        hermez_api::Problem::schema(),
    ));
    components.schemas.extend(schemas);
    components
}

/// Adds to each operation the problems that any can answer with.
pub fn finish(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.patch,
            &mut item.put,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            add_problems(operation);
        }
    }
}

fn add_problems(operation: &mut Operation) {
    let mut add = |status: &str, text: &str| {
        operation
            .responses
            .responses
            .entry(status.to_owned())
            .or_insert_with(|| RefOr::T(problem_response(text)));
    };
    // Operations without a `security` of their own have the document's.
    if operation.security.is_none() {
        add(
            "401",
            "No credentials, or ones that open nothing (any more).",
        );
        add("403", "The caller may not do this.");
    }
    add("default", "Any other problem.");
}
