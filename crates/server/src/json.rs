//! JSON bodies: `axum::Json` with its refusals as problems.

use std::fmt::Formatter;
use std::marker::PhantomData;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::problem::{ApiError, catalog};

/// A JSON body.
#[derive(Debug, Clone)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum::Json::<Object<T>>::from_request(request, state).await {
            Ok(axum::Json(Object(value))) => Ok(Self(value)),
            Err(rejection) => Err(refusal(&rejection)),
        }
    }
}

/// A JSON object, read as `T`: serde would fill a struct from an array too, by place.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        let value = deserializer.deserialize_map(Fields(PhantomData))?;
        Ok(Self(value))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Ask {
        commit: Option<String>,
    }

    #[test]
    fn only_an_object_is_read() {
        let read = |text: &str| serde_json::from_str::<Object<Ask>>(text).map(|it| it.0.commit);
        assert_eq!(
            read(r#"{"commit":"main"}"#).unwrap().as_deref(),
            Some("main")
        );
        assert_eq!(read("{}").unwrap(), None);
        for wrong in ["[]", r#"["main"]"#, "null", "3", r#""main""#] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains("a JSON object"), "{wrong}: {error}");
        }
        assert!(
            read(r#"{"bogus":1}"#)
                .unwrap_err()
                .to_string()
                .contains("bogus")
        );
    }
}
