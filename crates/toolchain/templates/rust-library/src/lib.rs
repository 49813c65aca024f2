//! Functions of the world in `wit/`.

wit_bindgen::generate!({ world: "library", path: "wit", generate_all });

struct Library;

export!(Library);

impl Guest for Library {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }
}
