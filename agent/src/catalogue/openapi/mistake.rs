//! What can be wrong with an OpenAPI document, in words for people.

use std::fmt;

use passerelle_proto::call::path::PathError;

/// One mistake of a document. Its author is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenApiMistake {
    /// Its line, from 1, where it is known.
    pub line: Option<usize>,
    /// Its place, such as `paths./dossiers.get`; empty for the whole document.
    pub place: String,
    pub(super) fault: Fault,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    TooLarge,
    NotUtf8,
    /// The parser's words, in English.
    Syntax(String),
    NotAnObject,
    Format,
    Missing,
    Unquoted,
    NoOperation,
    TooManyOperations,
    TooManyPaths,
    NoOperationId,
    OperationIdForm,
    OperationIdRepeated(String),
    Path(PathError),
    SamePaths(String),
    Method,
    Reference,
}

impl OpenApiMistake {
    /// What is wrong and what to do, French then English, with the line.
    #[must_use]
    pub fn messages(&self) -> (String, String) {
        let (fr, en) = self.fault.messages();
        let place = |word: &str, colon: &str| {
            let line = self.line.map(|line| format!("{word} {line}"));
            let place = (!self.place.is_empty()).then(|| self.place.clone());
            let parts: Vec<String> = line.into_iter().chain(place).collect();
            if parts.is_empty() { String::new() } else { format!("{}{colon}", parts.join(", ")) }
        };
        (format!("{}{fr}", place("ligne", " : ")), format!("{}{en}", place("line", ": ")))
    }
}

impl Fault {
    fn messages(&self) -> (String, String) {
        let (fr, en) = match self {
            Self::Syntax(detail) => {
                return (
                    format!("ce n'est pas du YAML ni du JSON lisible ({detail}); corriger à cet endroit"),
                    format!("this is no readable YAML or JSON ({detail}); correct it at this place"),
                );
            }
            Self::OperationIdRepeated(name) => {
                return (
                    format!("operationId « {name} » donné deux fois; en donner un par opération"),
                    format!("operationId \"{name}\" is given twice; give each operation its own"),
                );
            }
            Self::SamePaths(other) => {
                return (
                    format!("ce chemin couvre les mêmes adresses que « {other} »; n'en garder qu'un"),
                    format!("this path covers the same addresses as \"{other}\"; keep one of them"),
                );
            }
            Self::Path(error) => return path(*error),
            other => other.plain(),
        };
        (fr.to_owned(), en.to_owned())
    }

    /// The messages that name nothing.
    fn plain(&self) -> (&'static str, &'static str) {
        match self {
            Self::TooLarge => (
                "le document dépasse 1 Mio; retirer les exemples ou scinder le service",
                "the document has more than 1 MiB; remove its examples or split the service",
            ),
            Self::NotUtf8 => (
                "le document n'est pas en UTF-8; l'enregistrer dans cet encodage",
                "the document is not in UTF-8; save it in that encoding",
            ),
            Self::NotAnObject => (
                "le document n'est pas une description OpenAPI; il commence par « openapi: 3.1.0 »",
                "the document is no OpenAPI description; one begins with \"openapi: 3.1.0\"",
            ),
            Self::Format => (
                "version d'OpenAPI absente ou non prise en charge; il faut 3.0 ou 3.1 (« openapi: 3.1.0 »)",
                "the OpenAPI version is missing or not supported; it must be 3.0 or 3.1 (\"openapi: 3.1.0\")",
            ),
            Self::Missing => ("texte manquant; le donner", "this text is missing; give it"),
            Self::Unquoted => (
                "la version est lue comme un nombre; la mettre entre guillemets (\"1.10\")",
                "the version reads as a number; put it in quotes (\"1.10\")",
            ),
            Self::NoOperation => (
                "aucune opération; décrire au moins un chemin avec une méthode",
                "there is no operation; describe at least one path with a method",
            ),
            Self::TooManyOperations => {
                ("plus de 256 opérations; scinder le service", "more than 256 operations; split the service")
            }
            Self::TooManyPaths => {
                ("plus de 1024 chemins; scinder le service", "more than 1,024 paths; split the service")
            }
            Self::NoOperationId => (
                "operationId manque; le donner : c'est le nom de l'opération dans les ententes",
                "operationId is missing; give it: it names the operation in agreements",
            ),
            Self::OperationIdForm => (
                "operationId : de 1 à 128 octets, sans espace au début ni à la fin, ni caractère invisible",
                "operationId: 1 to 128 bytes, no white space at either end, no invisible character",
            ),
            Self::Method => (
                "TRACE ne peut servir à un appel; retirer cette opération",
                "TRACE cannot be called with; remove this operation",
            ),
            _ => (
                "$ref qui ne mène à rien dans ce document; les références externes ne sont pas suivies",
                "a $ref that leads nowhere in this document; external references are not followed",
            ),
        }
    }
}

fn path(error: PathError) -> (String, String) {
    let fr = match error {
        PathError::TooLong => "le chemin est trop long",
        PathError::NotAbsolute => "un chemin commence par « / »",
        PathError::EmptySegment => "le chemin a un segment vide (« // », ou « / » à la fin)",
        PathError::DotSegment => "le chemin a un segment « . » ou « .. »",
        PathError::HiddenSeparator => "le chemin cache un séparateur (« ; », « \\ », %2F, %25)",
        PathError::Character => "le chemin a un caractère qui n'y a pas sa place; l'encoder en pourcentage",
        PathError::Parameter => {
            "un paramètre est un segment entier, comme {numero}, nommé une seule fois, en lettres sans accent"
        }
    };
    (format!("{fr}; le récrire"), format!("{error}; write it otherwise"))
}

/// French, then English.
impl fmt::Display for OpenApiMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fr, en) = self.messages();
        write!(f, "{fr} / {en}")
    }
}
