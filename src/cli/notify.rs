//! `unleak notify`: what people get, whether the channels work, and what could not be sent.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use super::Context;
use super::exit::{Exit, Hinted};
use super::responder::responder;
use super::subject::store;
use crate::leak::OwnerReason;
use crate::notify::{Channel, Delivery, Kind, Message, Notifier, room};
use crate::owner::{clean, contact_of};

/// Show what people get, try the channels, list and send what waits
#[derive(Args, Debug)]
pub struct NotifyArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Preview(PreviewArgs),
    Test(TestArgs),
    List(ListArgs),
    Send(SendArgs),
}

/// Render every notice with made-up data; nothing is sent
#[derive(Args, Debug)]
#[command(
    after_help = "notify.templates of the configuration names a folder with texts of your own: words.toml, \
    notice.txt, notice.html, digest.txt, digest.html; what is not there stays as it is built in.\n\nExamples:\n  \
    unleak notify preview\n  unleak notify preview --html /tmp/notices    one page for each kind, for a browser\n  \
    unleak notify preview --texts /etc/unleak/templates    the built-in texts, to start from"
)]
struct PreviewArgs {
    /// Write the HTML of each into this folder
    #[arg(long, value_name = "FOLDER")]
    html: Option<PathBuf>,
    /// Write the built-in texts into this folder, to change them there; no file is overwritten
    #[arg(long, value_name = "FOLDER", conflicts_with = "html")]
    texts: Option<PathBuf>,
}

/// Send one test notice by every channel that is configured, or by those that --by names
#[derive(Args, Debug)]
#[command(
    after_help = "It is about a made-up leak and says so. PagerDuty's incident is resolved at once; GitHub is \
    left out unless --by names it, because a report there cannot be taken back.\n\nExit codes: 0 all were taken, 3 one was not\n\nExamples:\n  \
    unleak notify test --to you@example.com\n  unleak notify test --by slack --by pagerduty"
)]
struct TestArgs {
    /// Who gets the mail
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// Only by this channel: email, webhook, outbox, slack, teams, pagerduty, github
    #[arg(long, value_name = "CHANNEL")]
    by: Vec<String>,
}

/// List notices that no channel took, after every try; the next run of a leak tries again
#[derive(Args, Debug)]
struct ListArgs {}

/// Send the notices that are due: collected, or to be tried again
#[derive(Args, Debug)]
struct SendArgs {}

/// Runs `unleak notify`.
pub async fn run(args: NotifyArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    match args.what {
        What::Preview(args) => preview(&args, context, out),
        What::Test(args) => test(&args, context, out).await,
        What::List(_) => list(context, out).await,
        What::Send(_) => send(context, out).await,
    }
}

fn preview(args: &PreviewArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    if let Some(folder) = &args.texts {
        return texts(folder, out);
    }
    let notifier = Notifier::new(&context.config.notify_settings()?)?;
    for message in notifier.samples()? {
        let name = message.kind.name();
        if let Some(folder) = &args.html {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            let file = folder.join(format!("{name}.html"));
            std::fs::write(&file, message.html.as_deref().unwrap_or_default())
                .with_context(|| format!("cannot write {}", file.display()))?;
            writeln!(out, "{}", file.display())?;
        } else {
            writeln!(out, "== {name}\nSubject: {}\n\n{}", message.subject, message.body)?;
        }
    }
    Ok(Exit::Clean)
}

fn texts(folder: &Path, out: &mut dyn Write) -> Result<Exit> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, text) in crate::notify::built_in() {
        let file = folder.join(name);
        let shown = file.display();
        let made = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&file);
        match made {
            Ok(mut made) => made
                .write_all(text.as_bytes())
                .with_context(|| format!("cannot write {shown}"))?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                writeln!(out, "{shown} is there already and stays as it is")?;
                continue;
            }
            Err(error) => return Err(error).with_context(|| format!("cannot write {shown}")),
        }
        writeln!(out, "{shown}")?;
    }
    Ok(Exit::Clean)
}

async fn test(args: &TestArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let notifier = Notifier::new(&context.config.notify_settings()?)?;
    let mut channels = Vec::new();
    for name in &args.by {
        let channel = Channel::named(name).filter(|channel| notifier.open().contains(channel));
        channels.push(channel.ok_or_else(|| {
            Hinted::usage(
                format!("no channel {name:?} is configured"),
                "see [notify] in `unleak config`",
            )
        })?);
    }
    if channels.is_empty() {
        channels = notifier.open();
        channels.retain(|channel| *channel != Channel::GitHub);
    }
    if channels.is_empty() {
        return Err(Hinted::usage(
            "no channel is configured",
            "see [notify] in `unleak config`",
        ));
    }
    let person = args.to.as_deref().map(|to| {
        contact_of(to, OwnerReason::Fallback)
            .ok_or_else(|| Hinted::usage(format!("{to:?} is no mail address"), "write you@example.com"))
    });
    let person = person.transpose()?;
    if channels.contains(&Channel::Email) && person.is_none() {
        return Err(Hinted::usage("the mail needs an address", "--to you@example.com"));
    }
    let samples = notifier.samples()?;
    let mut failed = false;
    for channel in channels {
        let kinds: &[Kind] = if channel == Channel::PagerDuty {
            &[Kind::Found, Kind::Revoked]
        } else {
            &[Kind::Found]
        };
        for kind in kinds {
            let Some(sample) = samples.iter().find(|message| message.kind == *kind) else {
                continue;
            };
            let mut message = marked(sample);
            message.owner = person.clone().unwrap_or_else(|| room(channel));
            for Delivery { result, .. } in notifier.send(&message, &[channel]).await {
                failed |= result.is_err();
                match result {
                    Ok(_) => writeln!(out, "{}: taken ({})", channel.name(), kind.name())?,
                    Err(why) => writeln!(out, "{}: {why}", channel.name())?,
                }
            }
        }
    }
    Ok(if failed { Exit::Incomplete } else { Exit::Clean })
}

/// A sample that nobody takes for a leak.
fn marked(sample: &Message) -> Message {
    let mut message = sample.clone();
    let headline = "This is a test of unleak's notices about a made-up leak: there is nothing to do.";
    message.subject = format!(
        "[unleak] TEST, nothing to do: {}",
        sample.subject.trim_start_matches("[unleak] ")
    );
    message.body = format!("{headline}\n\n{}", sample.body);
    message.html = sample.html.as_ref().map(|html| {
        let said = format!("<p style=\"margin:0;padding:16px;font-weight:600\">{headline}</p>");
        // Behind the tag that opens the body, whatever an operator's layout makes of it.
        let at = html
            .find("<body")
            .and_then(|body| Some(body + html[body..].find('>')? + 1));
        let at = at.unwrap_or(0);
        format!("{}{said}{}", &html[..at], &html[at..])
    });
    message.data["test"] = true.into();
    message.content.headline = format!("{headline} {}", sample.content.headline);
    message
}

async fn list(context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let store = store(context).await?;
    let given_up = store.notices_given_up().await?;
    for notice in &given_up {
        writeln!(
            out,
            "{} {} to {} by {}: given up after {} tries",
            notice.fingerprint,
            notice.rule,
            clean(notice.owner.email.as_deref().unwrap_or(&notice.owner.name)),
            notice.slot,
            notice.tries
        )?;
    }
    let next = store.next_notice_due().await?;
    store.shut().await;
    let next = next.map_or("none waits".to_owned(), |at| {
        format!("the next that waits is due {at:.0}")
    });
    writeln!(out, "{} given up; {next}", given_up.len())?;
    Ok(if given_up.is_empty() {
        Exit::Clean
    } else {
        Exit::Incomplete
    })
}

async fn send(context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let responder = responder(context, None).await?;
    for told in responder.deliver_now(&[], &context.rules).await? {
        writeln!(out, "{}", told.said)?;
    }
    responder.store.shut().await;
    Ok(Exit::Clean)
}
