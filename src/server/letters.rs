//! Mail of the token service to owners: what organisations ask of them, and the review of their tokens.
//!
//! A letter is claimed in the store before it leaves, so that of several servers, and of one that starts again, nobody
//! hears twice; what no channel takes is given back.

use std::time::Duration;

use serde_json::json;

use crate::notify::{Message, Notifier};
use crate::token_service::review::Letter;
use crate::token_service::{Result, ReviewSettings, TokenService, Wish};

/// How often it is looked whether somebody must be written to.
const PAUSE: Duration = Duration::from_secs(600);

/// Writes to owners for as long as it is polled; a failure is logged and tried again later.
pub async fn keep_writing(tokens: TokenService, notifier: Notifier, settings: ReviewSettings) {
    loop {
        match write(&tokens, &notifier, &settings).await {
            Ok(0) => {}
            Ok(sent) => tracing::info!(sent, "wrote to owners of tokens"),
            Err(error) => tracing::warn!(%error, "owners of tokens could not be written to"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Writes to every owner who must hear now, and says how many letters were taken by at least one channel.
pub async fn write(tokens: &TokenService, notifier: &Notifier, settings: &ReviewSettings) -> Result<usize> {
    let (mut sent, mut lost) = (0_usize, 0_usize);
    for wish in tokens.wishes_to_tell().await? {
        let message = asking(&wish);
        if notifier.channels(&message.owner).is_empty() {
            lost += 1;
        } else if tokens.claim_wish(&wish).await? {
            if send(notifier, &message).await {
                sent += 1;
            } else {
                tokens.wish_was_lost(&wish).await?;
                lost += 1;
            }
        }
    }
    if settings.mail_every_days > 0 {
        let every = settings.mail_every_days;
        for letter in tokens.review_letters(settings.unused_days, every).await? {
            let message = reviewing(&letter);
            if notifier.channels(&message.owner).is_empty() {
                lost += 1;
            } else if tokens.claim_letter(&letter, every).await? {
                if send(notifier, &message).await {
                    sent += 1;
                } else {
                    tokens.letter_was_lost(&letter).await?;
                    lost += 1;
                }
            }
        }
    }
    if lost > 0 {
        tracing::warn!(
            letters = lost,
            "owners of tokens could not be written to; see [notify] of the configuration; it is tried again later"
        );
    }
    Ok(sent)
}

async fn send(notifier: &Notifier, message: &Message) -> bool {
    let channels = notifier.channels(&message.owner);
    let deliveries = notifier.send(message, &channels).await;
    for delivery in &deliveries {
        if let Err(why) = &delivery.result {
            tracing::warn!(channel = delivery.channel.name(), %why, "a letter was not taken");
        }
    }
    deliveries.iter().any(|delivery| delivery.result.is_ok())
}

fn asking(wish: &Wish) -> Message {
    let Wish {
        name,
        organisation,
        description,
        last_four,
        cause,
        token_id,
        ..
    } = wish;
    let subject = format!("{organisation} asks you to stop a token");
    let body = format!(
        "Hello {name},\n\nthe owners of {organisation} ask you to stop your token \"{description}\" (…{last_four}):\n\n    \
         {cause}\n\nIt works until you stop it (POST /api/v1/tokens/{token_id}/revoke, or the token itself to POST /oauth/revoke), \
         or until they block it for their organisation.\n"
    );
    Message::letter(name, &wish.email, subject, body, json!({ "asked": wish }))
}

fn reviewing(letter: &Letter) -> Message {
    let data = json!({ "login": letter.login, "subject": letter.subject });
    Message::letter(
        &letter.name,
        &letter.email,
        letter.subject.clone(),
        letter.body.clone(),
        data,
    )
}
