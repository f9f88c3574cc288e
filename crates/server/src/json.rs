//! JSON bodies: `axum::Json` with its refusals as problems.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use crate::problem::{ApiError, catalog};

/// A JSON body.
#[derive(Debug, Clone)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(refusal(&rejection)),
        }
    }
}

fn refusal(rejection: &JsonRejection) -> ApiError {
    let of = match rejection.status().as_u16() {
        413 => catalog::BODY_TOO_LARGE,
        415 => catalog::UNSUPPORTED_MEDIA_TYPE,
        422 => catalog::INVALID_BODY,
        _ => catalog::BAD_REQUEST,
    };
    ApiError::new(of, rejection.body_text())
}
