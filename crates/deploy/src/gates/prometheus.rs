//! Prometheus' HTTP API, as far as checks need it: one query, one value.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

/// Until an answer is there whole.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes of a query that is sent in the URL; whatever stands before a Prometheus may take no
/// longer ones.
const IN_URL_MAX: usize = 2_000;

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Prometheus did not answer, or not as it should.
    #[error("Prometheus does not answer: {0}")]
    Away(String),
    /// Prometheus does not take the query.
    #[error("Prometheus refuses the query: {0}")]
    Refused(String),
    /// The answer is not one value.
    #[error("{0}")]
    NoValue(String),
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Series {
    value: (f64, String),
}

/// A Prometheus server.
#[derive(Debug, Clone)]
pub struct Prometheus {
    http: reqwest::Client,
    url: Url,
}

impl Prometheus {
    /// A client of the server at `url`; nothing is sent yet.
    ///
    /// # Errors
    /// When it is no HTTP URL, or no HTTP client can be made.
    pub fn new(url: Url) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!(
                "{url} is not an address of a Prometheus (http or https)"
            ));
        }
        let is_local = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let mut builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if is_local {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { http, url })
    }

    /// The one value that a query gives now.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn value(&self, query: &str) -> Result<f64, QueryError> {
        let mut url = self.url.clone();
        let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let away = |error: reqwest::Error| QueryError::Away(error.without_url().to_string());
        let parameters = [("query", query)];
        let request = if query.len() <= IN_URL_MAX {
            self.http.get(url).query(&parameters)
        } else {
            self.http.post(url).form(&parameters)
        };
        let mut response = request.send().await.map_err(away)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                let message = "its answer is too large; aggregate, for example with sum()";
                return Err(QueryError::NoValue(message.to_owned()));
            }
        }
        read(status.as_u16(), &body)
    }
}

/// The value of an answer.
fn read(status: u16, body: &[u8]) -> Result<f64, QueryError> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| QueryError::Away(format!("HTTP status {status}, and not its JSON")))?;
    if answer.status != "success" {
        let why: String = answer.error.chars().take(300).collect();
        return Err(if matches!(status, 400 | 422) {
            QueryError::Refused(why)
        } else {
            QueryError::Away(why)
        });
    }
    let none = |why: &str| QueryError::NoValue(why.to_owned());
    let data = answer
        .data
        .ok_or_else(|| none("the answer holds no data"))?;
    let text = match data.result_type.as_str() {
        "scalar" => serde_json::from_value::<(f64, String)>(data.result).map(|(_, text)| text),
        "vector" => {
            let series: Vec<Series> = serde_json::from_value(data.result)
                .map_err(|_| none("the answer cannot be read"))?;
            let count = series.len();
            let mut series = series.into_iter();
            match (series.next(), count) {
                (Some(only), 1) => Ok(only.value.1),
                (None, _) => return Err(none("the query finds no series")),
                _ => {
                    let why = format!(
                        "the query finds {count} series; aggregate, for example with sum()"
                    );
                    return Err(QueryError::NoValue(why));
                }
            }
        }
        other => return Err(none(&format!("the query gives a {other}, not a value"))),
    };
    let text = text.map_err(|_| none("the answer cannot be read"))?;
    let value: f64 = text.parse().map_err(|_| none("the value is no number"))?;
    if !value.is_finite() {
        let why = format!("the value is {}", text.chars().take(20).collect::<String>());
        return Err(QueryError::NoValue(why));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<f64, String> {
        read(200, json.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_value_is_read_and_anything_else_says_what_it_is() {
        let vector = |result: &str| {
            format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{result}}}}}"#)
        };
        assert_eq!(
            of(&vector(r#"[{"metric":{},"value":[1,"0.25"]}]"#)),
            Ok(0.25)
        );
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#;
        assert_eq!(of(scalar), Ok(2.0));
        for (json, says) in [
            (vector("[]"), "no series"),
            (
                vector(r#"[{"value":[1,"1"]},{"value":[1,"2"]}]"#),
                "2 series; aggregate",
            ),
            (vector(r#"[{"value":[1,"NaN"]}]"#), "NaN"),
            (vector(r#"[{"value":"x"}]"#), "cannot be read"),
            (vector("").replace("vector", "matrix"), "not its JSON"),
            ("<html>".to_owned(), "does not answer"),
        ] {
            let said = of(&json).expect_err("no value");
            assert!(said.contains(says), "{says}: {said}");
        }
        let refused = br#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        assert_eq!(
            read(400, refused),
            Err(QueryError::Refused("parse error".to_owned()))
        );
        assert!(matches!(read(503, refused), Err(QueryError::Away(_))));
    }
}
