//! Texts of `pipelines.yaml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kustlake::catalog::Catalog;
use kustlake::config::Config;

/// What every secret of the environment begins with.
const SECRET: &str = "invented-secret-of-the-environment";
/// A secret that somebody has written into the file.
const WRITTEN: &str = "written-out-secret";

/// A text is a configuration or an error, in no time, and no error shows a secret.
pub fn check(text: &[u8]) {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().expect("good schema files"));
    static ENVIRONMENT: LazyLock<BTreeMap<String, String>> = LazyLock::new(environment);
    let Ok(text) = str::from_utf8(text) else { return };
    match Config::parse("pipelines.yaml", text, &ENVIRONMENT, &CATALOG) {
        Ok(config) => {
            // What is not secret may be asked of the environment too, even a secret.
            assert!(text.contains("${") || !format!("{config:?}").contains(SECRET), "a configuration shows a secret");
        }
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("pipelines.yaml:"), "{told}");
            assert!(!told.contains(SECRET), "a secret of the environment is told");
            let is_garbled = told.contains("this is not YAML");
            assert!(!(is_garbled && told.contains(WRITTEN)), "a secret of the file is told: {told}");
        }
    }
}

fn environment() -> BTreeMap<String, String> {
    let names = ["KUSTOMER_API_KEY", "KUSTLAKE_HASH_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "HOME"];
    names.into_iter().map(|name| (name.to_owned(), format!("{SECRET}: \"{name}\"\n&*${{HOME}}"))).collect()
}
