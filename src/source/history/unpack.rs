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
use super::novel::{self, Novel};
use super::offering::Sign;
use super::pack::{Kind, Pack};
use crate::source::Limits;

/// Buffers of more bytes are not kept for the next object.
const LARGE_BUFFER: usize = 16 << 20;

/// What is done on one thread: takes objects. Whole ones and from this pack alone, unless it says otherwise.
pub(super) trait Hand {
    /// The content of an object of at most `largest` bytes that stands elsewhere.
    fn outside(&self, _id: Oid, _largest: u64) -> Option<Vec<u8>> {
        None
    }
    /// Takes a wanted object.
    fn take(&mut self, id: Oid, bytes: &[u8]) -> Known;
    /// How far a piece reaches that is a sign; nothing if every blob has to be taken whole.
    fn reach(&self) -> Option<usize> {
        None
    }
    /// Looks at what is new in a blob against a base of which these signs are known; nothing if it has to be taken whole.
    fn glance(&self, _blob: &Glimpse<'_>, _base: &[Sign]) -> Option<Glance> {
        None
    }
    /// Whether something may be found where one of these signs stands.
    fn holds(&self, _bytes: &[u8], _open: &[Sign]) -> bool {
        true
    }
    /// Whether nobody has stopped the scan.
    fn goes_on(&self) -> bool;
    /// Counts a blob of so many bytes in which nothing is found.
    fn pass(&self, _length: usize) {}
}

/// What a glance sees of a blob.
pub(super) struct Glimpse<'a> {
    /// The first [`HEAD`] bytes.
    pub(super) head: &'a [u8],
    pub(super) novel: &'a Novel,
    /// Bytes of the base.
    pub(super) base: usize,
    /// Bytes of the blob.
    pub(super) length: usize,
}

/// The signs in a blob.
#[derive(Debug, Default)]
pub(super) struct Glance {
    /// Nothing is found here, as nothing was in the base.
    pub(super) settled: Vec<Sign>,
    /// Here it has to be looked at.
    pub(super) open: Vec<Sign>,
}

/// Bytes of the head of a blob that a glance sees.
pub(super) const HEAD: usize = 8192;

/// All signs in a blob in which nothing is found, sorted; nothing where something is, or where it was not looked at.
pub(super) type Known = Option<Vec<Sign>>;

/// One pack and what is wanted of it.
struct Job<'p> {
    pack: &'p Pack,
    forest: Forest,
}

/// Ids of every object of this type in the packs, each once, in the order of the packs.
pub(super) fn of_kind(packs: &[Pack], kinds: &[Vec<Option<ObjectType>>], kind: ObjectType) -> Vec<Oid> {
    let mut ids = Vec::new();
    for (number, (pack, kinds)) in packs.iter().zip(kinds).enumerate() {
        let places = (0_u32..).zip(kinds).filter(|(_, known)| **known == Some(kind));
        let listed = places.filter_map(|(place, _)| pack.id(place));
        ids.extend(listed.filter(|&id| !packs[..number].iter().any(|pack| pack.place(id).is_some())));
    }
    ids
}

/// Hands every wanted object of this type that a pack holds to one of the hands, each once, from `jobs` threads of the current rayon
/// pool. Returns those that have to be got in another way.
pub(super) fn unpack<H: Hand>(
    packs: &[Pack],
    wanted: &[Oid],
    kind: ObjectType,
    limits: &Limits,
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
            forest: Forest::new(pack, &places, kind, &mut |place| lost.extend(pack.id(place))),
        })
        .collect();
    let queue = queue(&jobs);
    let next = AtomicUsize::new(0);
    let all_lost = Mutex::new(lost);
    rayon::broadcast(|_| {
        let mut worker = Worker::new(hand(), limits);
        while let Some(&(job, root)) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            worker.tree(&jobs[job], root);
            if !worker.hand.goes_on() {
                break;
            }
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
    novel: Novel,
    /// Buffers that may be used again.
    spare: Vec<Vec<u8>>,
    largest: usize,
    most_held: usize,
    held: usize,
    lost: Vec<Oid>,
}

/// A base, and what is known of it.
type Base = (Rc<Vec<u8>>, Rc<Known>);

/// An entry that waits for its base, or for nothing.
type Waiting = (u32, Option<Base>);

/// What became of an entry.
enum Unpacked {
    /// Its content is there.
    Whole,
    /// It is taken already, and this is known of it; its content is there if something hangs below it.
    Taken(Known),
}

impl<H: Hand> Worker<H> {
    fn new(hand: H, limits: &Limits) -> Self {
        Self {
            hand,
            inflater: Inflater::default(),
            delta: Vec::new(),
            head: Vec::new(),
            novel: Novel::default(),
            spare: Vec::new(),
            largest: usize::try_from(limits.largest).unwrap_or(usize::MAX),
            most_held: limits.held,
            held: 0,
            lost: Vec::new(),
        }
    }

    /// Unpacks one tree.
    fn tree(&mut self, job: &Job<'_>, root: Root) {
        let base = match root.outside {
            None => None,
            Some(id) => match self.hand.outside(id, self.largest as u64) {
                Some(bytes) => Some((Rc::new(bytes), Rc::new(None))),
                None => return self.lose(job, root.place),
            },
        };
        self.held = base.as_ref().map_or(0, |(base, _)| base.len());
        let mut stack: Vec<Waiting> = vec![(root.place, base)];
        while let Some((place, base)) = stack.pop().filter(|_| self.hand.goes_on()) {
            let mut content = self.spare.pop().unwrap_or_default();
            let unpacked = self.content(job, place, base.as_ref(), &mut content);
            if let Some(Ok(freed)) = base.map(|(base, _)| Rc::try_unwrap(base)) {
                self.free(freed);
            }
            let too_much = self.held > self.most_held.max(self.largest.saturating_mul(2));
            let known = match unpacked {
                Ok(Unpacked::Taken(known)) => known,
                Ok(Unpacked::Whole) if !too_much => match job.pack.id(place) {
                    Some(id) if job.forest.is_wanted(place) => self.hand.take(id, &content),
                    _ => None,
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
            let (content, known) = (Rc::new(content), Rc::new(known));
            // Leaves are popped first: then the base is free as soon as the way down goes on.
            for leaves in [false, true] {
                let children = job
                    .forest
                    .children(place)
                    .filter(|&child| job.forest.is_leaf(child) == leaves);
                let base = || (Rc::clone(&content), Rc::clone(&known));
                stack.extend(children.map(|child| (child, Some(base()))));
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
        base: Option<&Base>,
        out: &mut Vec<u8>,
    ) -> Result<Unpacked, Damaged> {
        let (pack, inflater) = (job.pack, &mut self.inflater);
        match (pack.at(place).kind, base) {
            (Kind::Whole(_), None) => {
                pack.inflate(place, self.largest, inflater, out)?;
                Ok(Unpacked::Whole)
            }
            (Kind::Delta(_), Some((base, known))) => {
                pack.inflate(place, self.largest, inflater, &mut self.delta)?;
                let delta = Delta::parse(&self.delta)?;
                if delta.length > self.largest {
                    return Err(Damaged);
                }
                let signs = known.as_deref().filter(|_| job.forest.is_wanted(place));
                match self.hand.reach().zip(signs) {
                    Some((reach, signs)) => {
                        let leaf = job.forest.is_leaf(place);
                        look_at_new(
                            &self.hand,
                            (&mut self.novel, &mut self.head),
                            &delta,
                            (base, signs),
                            reach,
                            leaf,
                            out,
                        )
                    }
                    None => delta.apply(base, out).map(|()| Unpacked::Whole),
                }
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

/// Looks at what is new in a blob; makes the whole of it in `out` only where that is needed.
fn look_at_new<H: Hand>(
    hand: &H,
    (novel, head): (&mut Novel, &mut Vec<u8>),
    delta: &Delta<'_>,
    (base, signs): (&[u8], &[Sign]),
    reach: usize,
    leaf: bool,
    out: &mut Vec<u8>,
) -> Result<Unpacked, Damaged> {
    novel::collect(delta, base, reach, novel)?;
    novel::head(delta, base, HEAD, head)?;
    let glimpse = Glimpse {
        head,
        novel,
        base: base.len(),
        length: delta.length,
    };
    let glance = hand.glance(&glimpse, signs);
    let passed = glance.as_ref().is_some_and(|glance| glance.open.is_empty());
    if !passed || !leaf {
        delta.apply(base, out)?;
    }
    let Some(Glance { settled, open }) = glance.filter(|glance| !hand.holds(out, &glance.open)) else {
        return Ok(Unpacked::Whole);
    };
    hand.pass(delta.length);
    let mut all = settled;
    all.extend(open);
    all.sort_unstable();
    all.dedup();
    Ok(Unpacked::Taken(Some(all)))
}
