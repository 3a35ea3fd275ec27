//! The users of the token service, for whoever runs the server.

use askama::Template;

use super::door::{Asked, go, html};
use super::routes::Answer;
use super::shown::{Frame, clean};
use super::trouble::Trouble;

/// Users that are shown.
const MOST: usize = 500;

#[derive(Template)]
#[template(path = "users.html", config = "src/server/pages/askama.toml")]
struct Page {
    frame: Frame,
    words: String,
    rows: Vec<Row>,
    left: usize,
}

struct Row {
    login: String,
    name: String,
    email: String,
    active: bool,
}

/// `GET /users`.
pub(super) async fn list(asked: Asked) -> Answer {
    let words = asked.query("q").to_lowercase();
    let mut users = asked.pages.tokens.users().await?;
    users.retain(|user| {
        [&user.login, &user.name, &user.email]
            .iter()
            .any(|text| text.to_lowercase().contains(&words))
    });
    let left = users.len().saturating_sub(MOST);
    let rows = users.into_iter().take(MOST).map(|user| Row {
        login: user.login,
        name: clean(&user.name),
        email: clean(&user.email),
        active: user.active,
    });
    html(&Page {
        frame: asked.frame("Users", "users"),
        rows: rows.collect(),
        words,
        left,
    })
}

/// `POST /users`.
pub(super) async fn add(asked: Asked) -> Answer {
    let (login, email) = (asked.field("login").trim(), asked.field("email").trim());
    let by = asked.viewer()?.bearer.actor();
    asked
        .pages
        .tokens
        .add_user(login, email, asked.field("name"), &by)
        .await?;
    Ok(go("/users?said=added"))
}

/// `POST /users/{login}`: lets a user's tokens work, or not.
pub(super) async fn turn(asked: Asked) -> Answer {
    let active = match asked.field("active") {
        "yes" => true,
        "no" => false,
        _ => return Err(Trouble::Bad("Say whether the user is to be active.".to_owned())),
    };
    let by = asked.viewer()?.bearer.actor();
    asked
        .pages
        .tokens
        .set_user_active(asked.at("login"), active, &by)
        .await?;
    Ok(go("/users?said=saved"))
}
