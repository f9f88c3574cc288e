//! Query parameters that an operation does not have are refused: a misspelt filter would otherwise
//! answer with everything.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Method;
use url::form_urlencoded;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, PathItem, RefOr};

use crate::problem::{ApiError, catalog};

/// Most characters of a parameter's name that are repeated.
const SHOWN: usize = 60;

/// The query parameters of each operation, by method and path as the OpenAPI document has them.
pub struct Known(HashMap<(Method, String), BTreeSet<String>>);

impl Known {
    /// Those that a document describes.
    pub fn of(document: &OpenApi) -> Arc<Self> {
        let mut known = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                known.insert((method, path.clone()), parameters(operation));
            }
        }
        Arc::new(Self(known))
    }

    /// What is wrong with a request's query.
    fn refusal(&self, method: &Method, path: &str, query: &str) -> Option<ApiError> {
        let method = if method == Method::HEAD {
            Method::GET
        } else {
            method.clone()
        };
        let known = self.0.get(&(method, path.to_owned()))?;
        let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        let unknown = names.find(|name| !known.contains(name.as_ref()))?;
        let shown: String = unknown.chars().take(SHOWN).collect();
        let detail = format!("There is no parameter `{shown}` here.");
        let hint = if known.is_empty() {
            "Leave it out: no parameters are taken here.".to_owned()
        } else {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            format!("These are taken: {}.", known.join(", "))
        };
        Some(ApiError::new(catalog::BAD_REQUEST, detail).hint(hint))
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PATCH, &item.patch),
        (Method::PUT, &item.put),
        (Method::DELETE, &item.delete),
    ];
    let there = all.into_iter();
    there.filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn parameters(operation: &Operation) -> BTreeSet<String> {
    let all = operation.parameters.iter().flatten();
    // All are described in place.
    let own = all.filter_map(|it| match it {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    });
    let query = own.filter(|it| it.parameter_in == ParameterIn::Query);
    query.map(|it| it.name.clone()).collect()
}

/// Lets a request pass whose query parameters are all known.
pub async fn refuse_unknown(
    State(known): State<Arc<Known>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let query = request.uri().query();
    if let (Some(path), Some(query)) = (path, query)
        && let Some(refusal) = known.refusal(request.method(), path.as_str(), query)
    {
        return refusal.into_response();
    }
    next.run(request).await
}
