//! The problems that an operation can answer with, for the OpenAPI document.

use std::collections::BTreeMap;

use hermez_api::Problem;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::PROBLEM_JSON;

/// A response whose body is a problem.
pub fn problem_response(description: &str) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content(
            PROBLEM_JSON,
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name(Problem::name())))
                .build(),
        )
        .build()
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $($status:literal $text:literal),+;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    BTreeMap::from([
                        $(($status.to_owned(), RefOr::T(problem_response($text)))),+
                    ])
                }
            }
        )*
    };
}

problems! {
    /// There is no such thing.
    NotFound = "404" "There is no such thing.";
    /// It is not in a state that allows this.
    Conflict = "409" "It is not in a state that allows this.";
    /// The body (or what it names) cannot be used.
    Invalid = "422" "The body, or what it names, cannot be used; `places` says where.";
    /// An edit without, or with an old, version.
    Preconditions =
        "412" "It was changed meanwhile; read it again.",
        "428" "`If-Match` is missing.";
    /// The cluster did not do its part.
    Upstream = "502" "The cluster refused.";
    /// The cluster or the server cannot do it now.
    Unavailable = "503" "The cluster does not answer, or too many streams are open.";
}
