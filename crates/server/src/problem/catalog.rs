//! Every type of problem that the API can answer with. The slugs are part of the API: they may be
//! added to and never change their meaning.

use http::StatusCode;

/// A type of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemType {
    /// Last part of the type URN.
    pub slug: &'static str,
    /// A short sentence, the same for every problem of this type.
    pub title: &'static str,
    /// HTTP status.
    pub status: StatusCode,
}

macro_rules! catalog {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $slug:literal, $title:literal;)*) => {
        $(
            $(#[$doc])*
            pub const $name: ProblemType = ProblemType {
                slug: $slug,
                title: $title,
                status: StatusCode::$status,
            };
        )*

        /// All of them, in the order of this file.
        #[cfg(test)]
        pub const ALL: &[ProblemType] = &[$($name),*];
    };
}

catalog! {
    /// A parameter, a header or a body cannot be understood.
    BAD_REQUEST = BAD_REQUEST, "bad-request", "The request cannot be understood";
    /// No credentials, or ones that open nothing.
    UNAUTHENTICATED = UNAUTHORIZED, "unauthenticated", "Sign in first";
    /// A one-time link that is unknown, spent or too old.
    LOGIN_LINK_INVALID = UNAUTHORIZED, "login-link-invalid", "This sign-in link no longer works";
    /// The principal may not do this.
    FORBIDDEN = FORBIDDEN, "forbidden", "You may not do this";
    /// A browser's request from another site.
    CROSS_SITE = FORBIDDEN, "cross-site", "The request came from another site";
    /// No such path.
    NOT_FOUND = NOT_FOUND, "not-found", "There is nothing here";
    /// No workload of that name.
    WORKLOAD_NOT_FOUND = NOT_FOUND, "workload-not-found", "There is no such workload";
    /// No build of that number.
    BUILD_NOT_FOUND = NOT_FOUND, "build-not-found", "There is no such build";
    /// No deploy of that number.
    DEPLOY_NOT_FOUND = NOT_FOUND, "deploy-not-found", "There is no such deploy";
    /// The deploy did not fail, or failed before there were receipts.
    RECEIPT_NOT_FOUND = NOT_FOUND, "receipt-not-found", "This deploy has no receipt";
    /// No pull request of that number.
    PULL_REQUEST_NOT_FOUND = NOT_FOUND, "pull-request-not-found", "There is no such pull request";
    /// The pull request has no preview.
    PREVIEW_NOT_FOUND = NOT_FOUND, "preview-not-found", "There is no such preview";
    /// A fork's commit that nobody has allowed.
    FORK_NOT_ALLOWED = FORBIDDEN, "fork-not-allowed", "Nobody has allowed this commit of a fork";
    /// No token of that id.
    TOKEN_NOT_FOUND = NOT_FOUND, "token-not-found", "There is no such token";
    /// No freeze of that number.
    FREEZE_NOT_FOUND = NOT_FOUND, "freeze-not-found", "There is no such freeze";
    /// The path is right, the method is not.
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED, "method-not-allowed", "This cannot be done here";
    /// The request did not arrive in time.
    REQUEST_TIMEOUT = REQUEST_TIMEOUT, "request-timeout", "The request took too long to arrive";
    /// Something of that name is there already.
    WORKLOAD_EXISTS = CONFLICT, "workload-exists", "There is a workload of this name already";
    /// The thing is not in a state that allows this.
    CONFLICT = CONFLICT, "conflict", "This cannot be done now";
    /// A rule holds the deploy back.
    DEPLOY_HELD = CONFLICT, "deploy-held", "A rule holds this deploy back";
    /// There is nothing to roll back to.
    NOTHING_TO_ROLL_BACK = CONFLICT, "nothing-to-roll-back", "There is nothing to roll back to";
    /// Commits do not fit on what runs.
    HOTFIX_CONFLICT = CONFLICT, "hotfix-conflict", "The commits do not fit on what runs";
    /// Commits cannot be taken back on the branch as it is.
    REVERT_CONFLICT = CONFLICT, "revert-conflict", "The commits cannot be taken back by themselves";
    /// The same request is being worked on.
    IDEMPOTENCY_IN_PROGRESS = CONFLICT, "idempotency-in-progress", "The same request is being worked on";
    /// Somebody else changed it meanwhile.
    PRECONDITION_FAILED = PRECONDITION_FAILED, "precondition-failed", "It was changed meanwhile";
    /// The body is too large.
    BODY_TOO_LARGE = PAYLOAD_TOO_LARGE, "body-too-large", "The request's body is too large";
    /// The body is not JSON.
    UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body must be JSON";
    /// The body is JSON, and not the JSON that is wanted.
    INVALID_BODY = UNPROCESSABLE_ENTITY, "invalid-body", "The request's body is not what is wanted";
    /// A parameter can be understood, and not be met.
    INVALID_PARAMETER = UNPROCESSABLE_ENTITY, "invalid-parameter", "A parameter is not what is wanted";
    /// The key was used for another request.
    IDEMPOTENCY_KEY_REUSED = UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The idempotency key belongs to another request";
    /// The repository URL is not one.
    REPOSITORY_URL_INVALID = UNPROCESSABLE_ENTITY, "repository-url-invalid", "The repository's URL cannot be used";
    /// The repository is not there.
    REPOSITORY_NOT_FOUND = UNPROCESSABLE_ENTITY, "repository-not-found", "The repository cannot be found";
    /// The repository wants credentials, or refuses those it got.
    REPOSITORY_AUTHENTICATION = UNPROCESSABLE_ENTITY, "repository-authentication", "The repository asks for a user name and password";
    /// The repository has no commits.
    REPOSITORY_EMPTY = UNPROCESSABLE_ENTITY, "repository-empty", "The repository is empty";
    /// The repository is larger than the limit.
    REPOSITORY_TOO_LARGE = UNPROCESSABLE_ENTITY, "repository-too-large", "The repository is too large";
    /// The repository cannot be reached.
    REPOSITORY_UNREACHABLE = UNPROCESSABLE_ENTITY, "repository-unreachable", "The repository cannot be reached";
    /// The repository answered too slowly.
    REPOSITORY_TIMED_OUT = UNPROCESSABLE_ENTITY, "repository-timed-out", "The repository took too long to answer";
    /// No such branch, tag or commit.
    REVISION_UNKNOWN = UNPROCESSABLE_ENTITY, "revision-unknown", "There is no such commit";
    /// The short id fits several commits.
    REVISION_AMBIGUOUS = UNPROCESSABLE_ENTITY, "revision-ambiguous", "More than one commit begins like this";
    /// The config file is not there, or is no file.
    CONFIG_PATH_INVALID = UNPROCESSABLE_ENTITY, "config-path-invalid", "The config file cannot be read";
    /// The config file has a mistake in it.
    CONFIG_INVALID = UNPROCESSABLE_ENTITY, "config-invalid", "The config file has a mistake in it";
    /// The config file belongs to another workload than the one asked for.
    CONFIG_OF_ANOTHER = UNPROCESSABLE_ENTITY, "config-of-another-workload", "The config file is another workload's";
    /// It is unclear what to build.
    BUILD_PLAN_INVALID = UNPROCESSABLE_ENTITY, "build-plan-invalid", "It is not clear what to build";
    /// An edit without saying which version it is of.
    PRECONDITION_REQUIRED = PRECONDITION_REQUIRED, "precondition-required", "Say which version you are changing";
    /// Too much at once.
    TOO_MANY_STREAMS = SERVICE_UNAVAILABLE, "too-many-streams", "Too many live streams are open";
    /// More webhooks at once than are taken.
    TOO_MANY_PUSHES = SERVICE_UNAVAILABLE, "too-many-pushes", "Too many pushes wait";
    /// Something inside went wrong; the log knows more.
    INTERNAL = INTERNAL_SERVER_ERROR, "internal", "Something went wrong inside Hermez";
    /// The database does not answer.
    DATABASE_UNAVAILABLE = SERVICE_UNAVAILABLE, "database-unavailable", "The database does not answer";
    /// The cluster does not answer.
    CLUSTER_UNAVAILABLE = SERVICE_UNAVAILABLE, "cluster-unavailable", "The cluster does not answer";
    /// The cluster said no.
    CLUSTER_REFUSED = BAD_GATEWAY, "cluster-refused", "The cluster refused";
    /// The forge does not answer, or refuses.
    FORGE_REFUSED = BAD_GATEWAY, "forge-refused", "The forge refused, or did not answer";
    /// No pod (or container) of that name.
    POD_NOT_FOUND = NOT_FOUND, "pod-not-found", "There is no such pod or container";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn slugs_are_unique_and_well_formed() {
        let mut seen = HashSet::new();
        for one in ALL {
            assert!(seen.insert(one.slug), "`{}` stands twice", one.slug);
            assert!(
                one.slug.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
                "`{}` is not kebab-case",
                one.slug
            );
        }
    }

    #[test]
    fn every_type_is_an_error_and_says_so_shortly() {
        for one in ALL {
            assert!(
                one.status.is_client_error() || one.status.is_server_error(),
                "{}",
                one.slug
            );
            assert!(
                one.title.len() <= 60 && !one.title.ends_with('.'),
                "{}",
                one.slug
            );
        }
    }
}
