//! What narrows the services: operations (4th of the seven items) and fields (3rd).

use std::collections::HashSet;

use super::checker::{Checker, List};
use super::mistake::Mistake;
use crate::agreement::basis::{Method, Otherwise, StatutoryItem};
use crate::agreement::draft::{Draft, DraftFields, DraftOperations, DraftPath};
use crate::agreement::scope::{FieldRules, OperationPath, OperationScope};
use crate::call::head::is_method;
use crate::call::path::PathTemplate;
use crate::envelope::limits::OPERATION_LIMIT;
use crate::minimise::FieldPointer;

const SCOPES_MAX: usize = 64;
const OPERATIONS_MAX: usize = 256;
const PATHS_MAX: usize = 256;
const POINTERS_MAX: usize = 256;
/// Characters of a pointer.
const POINTER_LIMIT: usize = 512;

pub(super) fn operations(checker: &mut Checker, draft: &Draft) -> Option<Vec<OperationScope>> {
    const PATH: &str = "operations";
    if draft.operations.is_empty() {
        return Some(Vec::new());
    }
    let section = checker.item(StatutoryItem::Method);
    if !draft.method.iter().any(|method| method == Method::Call.code()) {
        checker.fault(PATH, &section, Mistake::NotExpected { because: "method" });
        return None;
    }
    let list = List { path: PATH, section: &section, limit: SCOPES_MAX, unique: ".service" };
    let services = &draft.services;
    checker.each(
        &list,
        &draft.operations,
        |draft| draft.service.clone(),
        |checker, path, draft| scope(checker, (path, &section), draft, services),
    )
}

fn scope(
    checker: &mut Checker,
    (path, section): (&str, &str),
    draft: &DraftOperations,
    services: &[String],
) -> Option<OperationScope> {
    let service = known(checker, (&format!("{path}.service"), section), &draft.service, services);
    let named = format!("{path}.operations");
    if draft.operations.is_empty() && draft.paths.is_empty() {
        checker.fault(&named, section, Mistake::Missing);
        return None;
    }
    let list = List { path: &named, section, limit: OPERATIONS_MAX, unique: "" };
    let operations = match draft.operations.is_empty() {
        true => Some(Vec::new()),
        false => checker.each(&list, &draft.operations, String::clone, |checker, path, name| {
            let name = checker.text(path, section, name, OPERATION_LIMIT)?;
            if is_operation_name(&name) {
                return Some(name);
            }
            checker.fault(
                path,
                section,
                Mistake::Malformed { expected: "operationId (1-128 octets / bytes)" },
            );
            None
        }),
    };
    let list = List { path: &format!("{path}.paths"), section, limit: PATHS_MAX, unique: "" };
    let paths = match draft.paths.is_empty() {
        true => Some(Vec::new()),
        false => {
            let key = |draft: &DraftPath| (draft.method.clone(), draft.path.clone());
            checker.each(&list, &draft.paths, key, |checker, path, draft| {
                template(checker, (path, section), draft)
            })
        }
    };
    Some(OperationScope { service: service?, operations: operations?, paths: paths? })
}

fn template(
    checker: &mut Checker,
    (path, section): (&str, &str),
    draft: &DraftPath,
) -> Option<OperationPath> {
    let method = is_method(&draft.method);
    if !method {
        checker.malformed(
            &format!("{path}.method"),
            section,
            &draft.method,
            "GET, POST, PUT, PATCH, DELETE …",
        );
    }
    let template = PathTemplate::parse(&draft.path).ok();
    if template.is_none() {
        checker.malformed(&format!("{path}.path"), section, &draft.path, "/dossiers/{numero}/pieces");
    }
    method.then_some(OperationPath { method: draft.method.clone(), path: template? })
}

/// What an operation may be called in agreements, catalogues and headers: at most 128 bytes, no white space at either end.
pub(crate) fn is_operation_name(name: &str) -> bool {
    (1..=OPERATION_LIMIT).contains(&name.len()) && name.trim() == name && !name.chars().any(char::is_control)
}

pub(super) fn fields(checker: &mut Checker, draft: &Draft) -> Option<Vec<FieldRules>> {
    if draft.fields.is_empty() {
        return Some(Vec::new());
    }
    let section = checker.item(StatutoryItem::Nature);
    let list = List { path: "fields", section: &section, limit: SCOPES_MAX, unique: ".services" };
    let mut seen = HashSet::new();
    // A rule for every service leaves none for another rule.
    let several = draft.fields.len() > 1;
    checker.each(
        &list,
        &draft.fields,
        |draft| draft.services.clone(),
        |checker, path, rules| {
            let place = (path, section.as_str());
            if several && rules.services.is_empty() {
                checker.fault(&format!("{path}.services"), &section, Mistake::Missing);
                return None;
            }
            field_rules(checker, place, rules, (&draft.services, &mut seen))
        },
    )
}

fn field_rules(
    checker: &mut Checker,
    (path, section): (&str, &str),
    draft: &DraftFields,
    (services, seen): (&[String], &mut HashSet<String>),
) -> Option<FieldRules> {
    let mut complete = true;
    for (index, service) in draft.services.iter().enumerate() {
        let element = format!("{path}.services[{index}]");
        if known(checker, (&element, section), service, services).is_none() {
            complete = false;
        } else if !seen.insert(service.clone()) {
            checker.fault(&element, section, Mistake::Repeated);
            complete = false;
        }
    }
    let list = List { path: &format!("{path}.allow"), section, limit: POINTERS_MAX, unique: "" };
    let allow = checker.each(&list, &draft.allow, String::clone, |checker, path, pointer| {
        let pointer = checker.text(path, section, pointer, POINTER_LIMIT)?;
        let parsed = FieldPointer::parse(&pointer).ok();
        if parsed.is_none() {
            checker.malformed(path, section, &pointer, "/personne/nom, /enfants/*/prenom (RFC 6901, ~2 = *)");
        }
        parsed
    });
    let codes = (Otherwise::ALL, Otherwise::code);
    let otherwise = checker.code(&format!("{path}.otherwise"), section, &draft.otherwise, codes);
    let rules = FieldRules { services: draft.services.clone(), allow: allow?, otherwise: otherwise? };
    complete.then_some(rules)
}

/// One of the agreement's services.
fn known(
    checker: &mut Checker,
    (path, section): (&str, &str),
    service: &str,
    services: &[String],
) -> Option<String> {
    if services.iter().any(|known| known == service) {
        return Some(service.to_owned());
    }
    let mistake = match service.trim().is_empty() {
        true => Mistake::Missing,
        false => Mistake::Contradicts { field: "services" },
    };
    checker.fault(path, section, mistake);
    None
}
