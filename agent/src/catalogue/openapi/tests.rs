//! Documents as agencies write them, and as nobody should.

use super::*;

const DOSSIERS: &str = include_str!("../../../../docs/samples/dossiers.openapi.yaml");

fn mistakes(document: &str) -> Vec<String> {
    read(document.as_bytes()).unwrap_err().iter().map(|mistake| mistake.messages().0).collect()
}

/// The one mistake: its line, and words of its French message.
fn mistake(document: &str) -> (Option<usize>, String) {
    let found = read(document.as_bytes()).unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    let [fr, en] = [found[0].messages().0, found[0].messages().1];
    assert!(!fr.is_empty() && fr != en);
    (found[0].line, fr)
}

#[test]
fn the_sample_is_read() {
    let interface = read(DOSSIERS.as_bytes()).unwrap();
    assert_eq!((interface.title.as_str(), interface.version.as_str()), ("Dossiers", "1.2.0"));
    let told: Vec<_> = interface
        .operations
        .iter()
        .map(|operation| (operation.name.as_str(), operation.method.as_str(), operation.path.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("chercherDossiers", "GET", "/dossiers"),
            ("ouvrirDossier", "POST", "/dossiers"),
            ("lireDossier", "GET", "/dossiers/{numero}"),
        ]
    );
    let demands: Vec<_> = interface.operations.iter().map(|operation| &operation.demands).collect();
    assert_eq!(demands[0].query, ["nom".to_owned()].into());
    assert!(demands[1].body && demands[1].content_types == Some(["application/json".to_owned()].into()));
    assert_eq!(*demands[2], Demands::default());
    // The same in JSON.
    let value: Value = serde_saphyr::from_str(DOSSIERS).unwrap();
    assert_eq!(read(&serde_json::to_vec_pretty(&value).unwrap()).unwrap(), interface);
}

#[test]
fn demands_are_held_against_a_request() {
    let interface = read(DOSSIERS.as_bytes()).unwrap();
    let [search, open, _] = &interface.operations[..] else { unreachable!() };
    for query in ["nom=Roy", "a=1&nom=", "nom", "%6eom=x"] {
        assert_eq!(search.demands.check(query, None, false), Ok(()), "{query}");
    }
    for query in ["", "Nom=Roy", "x=nom", "noms=1", "n%256fm=1"] {
        assert_eq!(search.demands.check(query, None, false), Err(CallMistake::Query(vec!["nom".to_owned()])));
    }
    assert_eq!(open.demands.check("", None, false), Err(CallMistake::Body));
    assert_eq!(open.demands.check("", Some("Application/JSON; charset=utf-8"), true), Ok(()));
    for other in [None, Some("text/plain"), Some("application/json-seq")] {
        assert!(matches!(open.demands.check("", other, true), Err(CallMistake::ContentType(_))));
    }
    let any = Demands { content_types: Some(["text/*".to_owned()].into()), ..Demands::default() };
    assert_eq!(any.check("", Some("text/csv"), true), Ok(()));
    assert!(any.check("", Some("textual/csv"), true).is_err());
}

#[test]
fn what_cannot_be_read_names_its_line_in_french() {
    for (document, line, words) in [
        ("openapi: 3.1.0\ninfo: [\n", 2, "YAML"),
        ("openapi: 3.1.0\ninfo:\n  title: a\n title: b\n", 4, "YAML"),
        ("{\"openapi\": \"3.1.0\",\n\"info\": @}", 2, "JSON"),
        ("openapi: 3.1.0\nopenapi: 3.0.0\n", 2, "YAML"),
        ("# rien\n", 1, "OpenAPI"),
        ("- openapi: 3.1.0\n", 1, "OpenAPI"),
        ("swagger: \"2.0\"\ninfo: {}\n", 1, "3.0 ou 3.1"),
        ("info: {}\nopenapi: 4.0.0\n", 2, "3.0 ou 3.1"),
        ("openapi: 3.10.0\n", 1, "3.0 ou 3.1"),
    ] {
        let (found, fr) = mistake(document);
        assert_eq!(found, Some(line), "{document}: {fr}");
        assert!(fr.starts_with(&format!("ligne {line}")) && fr.contains(words), "{fr}");
    }
    let latin_1 = [b"openapi: 3.1.0\n# ".to_vec(), vec![0xe9]].concat();
    assert_eq!(read(&latin_1).unwrap_err()[0].line, Some(2));
    assert_eq!(read(&vec![b' '; OPENAPI_LIMIT + 1]).unwrap_err()[0].fault, Fault::TooLarge);
}

/// A document with these paths.
fn with(paths: &str) -> String {
    format!("openapi: 3.1.0\ninfo:\n  title: Essai\n  version: \"1\"\npaths:\n{paths}")
}

#[test]
fn what_is_missing_or_wrong_is_named_at_its_place() {
    for (paths, line, words) in [
        ("  /a:\n    get: {}\n", 7, "paths./a.get : operationId manque"),
        ("  /a:\n    get: { operationId: \" lire\" }\n", 7, "1 à 128 octets"),
        ("  /a:\n    get: { operationId: \"li\\u202ere\" }\n", 7, "invisible"),
        ("  /a:\n    trace: { operationId: a }\n", 7, "TRACE"),
        ("  /a/:\n    get: { operationId: a }\n", 6, "segment vide"),
        ("  /a/{id}.json:\n    get: { operationId: a }\n", 6, "segment entier"),
        ("  a:\n    get: { operationId: a }\n", 6, "commence par"),
        ("  /a/../b:\n    get: { operationId: a }\n", 6, "« .. »"),
        (
            "  /a/{x}:\n    get: { operationId: a }\n  /a/{y}:\n    put: { operationId: b }\n",
            8,
            "mêmes adresses",
        ),
        ("  /a:\n    get: { operationId: a }\n  /b:\n    get: { operationId: a }\n", 9, "deux fois"),
        ("  /a: { $ref: autre.yaml }\n", 6, "externes"),
        ("  /a:\n    get: { operationId: a, parameters: [{ $ref: \"#/components/x\" }] }\n", 7, "$ref"),
        ("  {}\n", 5, "aucune opération"),
        ("  /a: {}\n", 5, "aucune opération"),
    ] {
        let (found, fr) = mistake(&with(paths));
        assert!(fr.contains(words), "{paths}: {fr}");
        assert_eq!(found, Some(line), "{paths}: {fr}");
    }
    let number = with("  /a:\n    get: { operationId: a }\n").replace("\"1\"", "1.10");
    assert_eq!(mistake(&number).0, Some(4));
    assert!(mistake(&number).1.contains("guillemets"));
    let untitled = with("  /a:\n    get: { operationId: a }\n").replace("  title: Essai\n", "");
    assert_eq!(mistake(&untitled).0, Some(2));
}

#[test]
fn mistakes_are_told_together_up_to_a_limit() {
    let paths: String = (0..100).map(|index| format!("  /p{index}:\n    get: {{}}\n")).collect();
    assert_eq!(mistakes(&with(&paths)).len(), MISTAKES_LIMIT);
    let many: String =
        (0..300).map(|index| format!("  /p{index}:\n    get: {{ operationId: o{index} }}\n")).collect();
    assert!(mistakes(&with(&many))[0].contains("plus de 256"));
}

#[test]
fn paths_are_counted_before_they_are_read() {
    let entries = |count: usize, item: &str| -> String {
        (0..count).map(|index| format!("  /{index:x}: {item}\n")).collect()
    };
    // Nothing is wrong with any of them, and lines are looked for only where something is.
    let many = with(&entries(operations::PATHS_LIMIT + 1, "{}"));
    let found = read(many.as_bytes()).unwrap_err();
    assert_eq!((found.len(), &found[0].fault, found[0].line), (1, &Fault::TooManyPaths, Some(5)));
    assert!(mistake(&with(&entries(operations::PATHS_LIMIT, "{}"))).1.contains("aucune opération"));
    // A reference that costs more than it says.
    let long = format!("#/x/{}", "a".repeat(REFERENCE_LIMIT));
    let document = with(&format!("  /a: {{ $ref: \"{long}\" }}\n"));
    let document =
        format!("{document}x:\n  {}: {{ get: {{ operationId: a }} }}\n", "a".repeat(REFERENCE_LIMIT));
    assert!(mistake(&document).1.contains("$ref"));
}

#[test]
fn hostile_documents_end_soon() {
    let bomb = (1..12).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, index| {
        let before = vec![format!("*a{}", index - 1); 10].join(",");
        format!("{text}a{index}: &a{index} [{before}]\n")
    });
    for hostile in
        [bomb, "[".repeat(500_000), "- ".repeat(200_000), "{\"a\":".repeat(100_000), "a: &a *a\n".to_owned()]
    {
        assert!(matches!(read(hostile.as_bytes()).unwrap_err()[0].fault, Fault::Syntax(_)));
    }
    // A line that is nothing but places where a key could be, and mistakes whose lines are looked for there.
    for (key, filling) in [("\"\"", " "), ("'\"'", "\"")] {
        let document = with(&format!("  {key}: {{}}\n# {}\n", filling.repeat(900_000)));
        assert!(mistake(&document).1.contains("commence par"));
    }
    // References in a circle.
    let circle =
        with("  /a:\n    get: { operationId: a, parameters: [{ $ref: \"#/x\" }] }\nx: { $ref: \"#/x\" }\n");
    assert!(mistake(&circle).1.contains("$ref"));
}
