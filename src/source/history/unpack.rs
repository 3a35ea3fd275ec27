//! Unpacks the wanted blobs of all packs: tree by tree of deltas, every stream inflated once.
//!
//! Reading object by object resolves every chain of deltas anew and costs 3.5 times the CPU (facts/speed.md A1). Trees
//! go to the threads heaviest first. Nothing here recurses, and what is held at once is bounded. Must never lose an
//! object: whatever cannot be unpacked is handed back, and so is everything below it.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use git2::{ObjectType, Oid};

use super::delta::{Damaged, Delta};
use super::forest::{Forest, Root};
use super::inflate::Inflater;
use super::novel;
use super::pack::{Kind, Pack};

/// Most bytes that one thread keeps unpacked for deltas still to come, if no single object is larger.
const MOST_HELD: usize = 512 << 20;

/// Buffers of more bytes are not kept for the next object.
const LARGE_BUFFER: usize = 16 << 20;

/// What is done on one thread: reads bases that are not in the pack, and takes blobs.
pub(super) trait Hand {
    /// The content of a blob of at most `largest` bytes that stands elsewhere.
    fn outside(&self, id: Oid, largest: u64) -> Option<Vec<u8>>;
    /// Takes a wanted blob; whether it is clean.
    fn take(&mut self, id: Oid, bytes: &[u8]) -> Clean;
    /// How far a piece reaches that makes a blob suspect; nothing if every blob has to be taken whole.
    fn reach(&self) -> Option<usize>;
    /// Takes of a blob of `length` bytes only its head and what is new against a clean base. Whether it is clean; if
    /// not, it has to be taken whole.
    fn glance(&mut self, length: usize, head: &[u8], new: &[u8]) -> Clean;
}

/// Bytes of the head of a blob that a glance sees.
pub(super) const HEAD: usize = 8192;

/// Whether it is known that nothing in the blob is suspect: then only what is new in its deltas can be.
pub(super) type Clean = bool;

/// One pack and what is wanted of it.
struct Job<'p> {
    pack: &'p Pack,
    forest: Forest,
}

/// Hands every wanted blob that a pack holds to one of the hands, each once, from `jobs` threads of the current rayon
/// pool. Returns those that have to be got in another way.
pub(super) fn unpack<H: Hand>(
    packs: &[Pack],
    wanted: &[Oid],
    largest: u64,
    hand: &(dyn Fn() -> H + Sync),
) -> Vec<Oid> {
    let mut lost = Vec::new();
    let mut places: Vec<Vec<u32>> = vec![Vec::new(); packs.len()];
    for &id in wanted {
        let found = packs
            .iter()
            .zip(&mut places)
            .find_map(|(pack, places)| Some((pack.place(id)?, places)));
        match found {
            Some((place, places)) => places.push(place),
            None => lost.push(id),
        }
    }
    let jobs: Vec<Job<'_>> = packs
        .iter()
        .zip(places)
        .map(|(pack, places)| Job {
            pack,
            forest: Forest::new(pack, &places, &mut |place| lost.extend(pack.id(place))),
        })
        .collect();
    let queue = queue(&jobs);
    let next = AtomicUsize::new(0);
    let all_lost = Mutex::new(lost);
    rayon::broadcast(|_| {
        let mut worker = Worker::new(hand(), largest);
        while let Some(&(job, root)) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            worker.tree(&jobs[job], root);
        }
        all_lost
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .append(&mut worker.lost);
    });
    all_lost.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// All trees: first the heavy ones, so that no thread is left alone with one at the end, then the others in the order
/// of the file, which is how disks like to be read.
fn queue(jobs: &[Job<'_>]) -> Vec<(usize, Root)> {
    let trees = |job: usize| jobs[job].forest.roots.iter().map(move |&root| (job, root));
    let mut all: Vec<(usize, Root)> = (0..jobs.len()).flat_map(trees).collect();
    let heavy = all.iter().map(|(_, root)| root.weight / 1000).sum::<u64>();
    all.sort_by_key(|(_, root)| std::cmp::Reverse(if root.weight > heavy { root.weight } else { 0 }));
    all
}

/// One thread's buffers.
struct Worker<H> {
    hand: H,
    inflater: Inflater,
    /// The inflated delta.
    delta: Vec<u8>,
    head: Vec<u8>,
    new: Vec<u8>,
    /// Buffers that may be used again.
    spare: Vec<Vec<u8>>,
    largest: usize,
    held: usize,
    lost: Vec<Oid>,
}

/// A base, and whether it is clean.
type Known = (Rc<Vec<u8>>, Clean);

/// An entry that waits for its base, or for nothing.
type Waiting = (u32, Option<Known>);

/// What became of an entry.
enum Unpacked {
    /// Its content is there.
    Whole,
    /// It is taken already, and clean; its content is there if something hangs below it.
    Taken,
}

impl<H: Hand> Worker<H> {
    fn new(hand: H, largest: u64) -> Self {
        Self {
            hand,
            inflater: Inflater::default(),
            delta: Vec::new(),
            head: Vec::new(),
            new: Vec::new(),
            spare: Vec::new(),
            largest: usize::try_from(largest).unwrap_or(usize::MAX),
            held: 0,
            lost: Vec::new(),
        }
    }

    /// Unpacks one tree.
    fn tree(&mut self, job: &Job<'_>, root: Root) {
        let base = match root.outside {
            None => None,
            Some(id) => match self.hand.outside(id, self.largest as u64) {
                Some(bytes) => Some((Rc::new(bytes), false)),
                None => return self.lose(job, root.place),
            },
        };
        self.held = base.as_ref().map_or(0, |(base, _)| base.len());
        let mut stack: Vec<Waiting> = vec![(root.place, base)];
        while let Some((place, base)) = stack.pop() {
            let mut content = self.spare.pop().unwrap_or_default();
            let unpacked = self.content(job, place, base.as_ref(), &mut content);
            if let Some(Ok(freed)) = base.map(|(base, _)| Rc::try_unwrap(base)) {
                self.free(freed);
            }
            let too_much = self.held > MOST_HELD.max(self.largest.saturating_mul(2));
            let clean = match unpacked {
                Ok(Unpacked::Taken) => true,
                Ok(Unpacked::Whole) if !too_much => match job.pack.id(place) {
                    Some(id) if job.forest.is_wanted(place) => self.hand.take(id, &content),
                    _ => false,
                },
                _ => {
                    self.lose(job, place);
                    self.keep(content);
                    continue;
                }
            };
            if job.forest.is_leaf(place) {
                self.keep(content);
                continue;
            }
            self.held += content.len();
            let content = Rc::new(content);
            // Leaves are popped first: then the base is free as soon as the way down goes on.
            for leaves in [false, true] {
                let children = job
                    .forest
                    .children(place)
                    .filter(|&child| job.forest.is_leaf(child) == leaves);
                stack.extend(children.map(|child| (child, Some((Rc::clone(&content), clean)))));
            }
        }
    }

    fn free(&mut self, buffer: Vec<u8>) {
        self.held -= buffer.len().min(self.held);
        self.keep(buffer);
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= LARGE_BUFFER {
            self.spare.push(buffer);
        }
    }

    /// Unpacks one entry into `out`, unless a glance at what is new in it is enough.
    fn content(
        &mut self,
        job: &Job<'_>,
        place: u32,
        base: Option<&Known>,
        out: &mut Vec<u8>,
    ) -> Result<Unpacked, Damaged> {
        let (pack, inflater) = (job.pack, &mut self.inflater);
        match (pack.at(place).kind, base) {
            (Kind::Whole(ObjectType::Blob), None) => {
                pack.inflate(place, self.largest, inflater, out)?;
                Ok(Unpacked::Whole)
            }
            (Kind::Delta(_), Some((base, clean))) => {
                pack.inflate(place, self.largest, inflater, &mut self.delta)?;
                let delta = Delta::parse(&self.delta)?;
                if delta.length > self.largest {
                    return Err(Damaged);
                }
                let (wanted, leaf) = (job.forest.is_wanted(place), job.forest.is_leaf(place));
                let reach = self.hand.reach().filter(|_| *clean && wanted);
                let Some(reach) = reach else {
                    delta.apply(base, out)?;
                    return Ok(Unpacked::Whole);
                };
                novel::collect(&delta, base, reach, &mut self.new)?;
                if leaf {
                    novel::head(&delta, base, HEAD, &mut self.head)?;
                    if self.hand.glance(delta.length, &self.head, &self.new) {
                        return Ok(Unpacked::Taken);
                    }
                    delta.apply(base, out)?;
                    return Ok(Unpacked::Whole);
                }
                delta.apply(base, out)?;
                let head = &out[..out.len().min(HEAD)];
                let clean = self.hand.glance(out.len(), head, &self.new);
                Ok(if clean { Unpacked::Taken } else { Unpacked::Whole })
            }
            _ => Err(Damaged),
        }
    }

    /// Hands back this entry and everything below it, as far as it is wanted.
    fn lose(&mut self, job: &Job<'_>, place: u32) {
        let mut below = vec![place];
        while let Some(place) = below.pop() {
            if job.forest.is_wanted(place) {
                self.lost.extend(job.pack.id(place));
            }
            below.extend(job.forest.children(place));
        }
    }
}
