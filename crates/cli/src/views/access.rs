//! People, tokens and the record of changes.

use hermez_api::{ApiToken, AuditEntry, Me, Page as List, Principal};

use super::{Page, cut, more};
use crate::print::cell;

/// Who is asking.
pub fn me(me: &Me, server: &str, page: &Page) -> String {
    page.facts(&[
        ("Name", me.name.clone()),
        ("Role", me.role.clone()),
        ("Signed in by", me.via.clone()),
        ("Server", format!("{server} (Hermez {})", me.server_version)),
    ])
}

/// The table of people and programs.
pub fn principals(principals: &List<Principal>, page: &Page) -> String {
    let rows = principals.items.iter().map(|one| {
        vec![
            cut(&one.name, 63),
            cell(&one.role),
            page.ago(one.created_at),
        ]
    });
    page.table(&["name", "role", "added"], &[], rows.collect()) + &more(principals)
}

/// The table of tokens.
pub fn tokens(tokens: &List<ApiToken>, page: &Page) -> String {
    if tokens.items.is_empty() {
        return "No tokens. Make one with `hermez token create NAME`.\n".to_owned();
    }
    let rows = tokens.items.iter().map(|token| {
        let used = token
            .last_used_at
            .map_or_else(|| "never".to_owned(), |at| page.ago(at));
        let state = token
            .revoked_at
            .map_or_else(String::new, |at| format!("revoked {}", page.ago(at)));
        vec![
            cell(&token.id),
            cut(&token.name, 40),
            cell(&token.owner),
            page.ago(token.created_at),
            used,
            state,
        ]
    });
    let header = ["id", "name", "owner", "created", "last used", "state"];
    page.table(&header, &["created", "owner"], rows.collect()) + &more(tokens)
}

/// The table of changes.
pub fn audit(entries: &List<AuditEntry>, page: &Page) -> String {
    if entries.items.is_empty() {
        return "Nothing was changed yet.\n".to_owned();
    }
    let rows = entries.items.iter().map(|entry| {
        let detail = match &entry.detail {
            serde_json::Value::Null => String::new(),
            detail => cut(&detail.to_string(), 80),
        };
        vec![
            entry.id.to_string(),
            page.date(entry.at),
            cell(&entry.principal),
            cell(&entry.action),
            cell(&entry.target),
            cell(&entry.outcome),
            detail,
        ]
    });
    let header = [
        "entry", "at", "who", "action", "target", "outcome", "detail",
    ];
    page.table(&header, &["detail"], rows.collect()) + &more(entries)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, page};
    use super::*;

    #[test]
    fn the_record_of_changes_stands_in_a_table() {
        let entry = AuditEntry {
            id: 1,
            at: at("2026-11-23T11:57:00Z"),
            principal: "owner".to_owned(),
            action: "workload.create".to_owned(),
            target: "workload/hello".to_owned(),
            outcome: "allowed".to_owned(),
            detail: serde_json::json!({"config": "deploy/hello.yaml"}),
        };
        insta::assert_snapshot!(audit(
            &List {
                items: vec![entry],
                next_cursor: None
            },
            &page()
        ));
    }

    #[test]
    fn revoked_tokens_are_told_apart() {
        let token = ApiToken {
            id: "t1".to_owned(),
            name: "ci".to_owned(),
            owner: "owner".to_owned(),
            created_at: at("2026-11-23T11:00:00Z"),
            last_used_at: None,
            revoked_at: Some(at("2026-11-23T11:57:00Z")),
        };
        insta::assert_snapshot!(tokens(
            &List {
                items: vec![token],
                next_cursor: None
            },
            &page()
        ));
    }
}
