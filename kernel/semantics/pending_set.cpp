#include "kernel/semantics/pending_set.hpp"

#include <gantry++/result.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>

namespace gantry::semantics {

namespace {

constexpr std::int64_t in_chunk(std::int64_t queue_off) { return queue_off % PendingSet::kChunk; }

// First offset of the chunk whose bit is 0.
std::int64_t first_open(const std::vector<std::uint8_t> &settled) {
  for (std::size_t i = 0; i < settled.size(); ++i)
    if (settled[i] != 0xFF) return static_cast<std::int64_t>(i) * 8 + std::countr_one(settled[i]);
  return settled.empty() ? 0 : PendingSet::kChunk;
}

}  // namespace

bool PendingSet::bit(const Chunk &chunk, std::int64_t queue_off) {
  if (chunk.count == kChunk) return true;
  if (chunk.settled.empty()) return false;
  const std::int64_t i = in_chunk(queue_off);
  return (chunk.settled[static_cast<std::size_t>(i / 8)] >> (i % 8) & 1) != 0;
}

void PendingSet::set_bit(std::int64_t number, Chunk &chunk, std::int64_t queue_off) {
  if (bit(chunk, queue_off)) return;
  if (chunk.settled.empty()) chunk.settled.resize(kBitmapBytes);
  const std::int64_t i = in_chunk(queue_off);
  chunk.settled[static_cast<std::size_t>(i / 8)] |= static_cast<std::uint8_t>(1u << (i % 8));
  dirty_.insert(number);
  if (++chunk.count < kChunk) return;
  chunk.settled = {};
  chunk.marks = {};
  chunk.far_min_ms = kNever;
}

PendingSet::Chunk &PendingSet::chunk_of(std::int64_t queue_off) {
  const auto [it, made] = chunks_.try_emplace(queue_off / kChunk);
  if (made) settle_below_low(it->first, it->second);
  return it->second;
}

void PendingSet::settle_below_low(std::int64_t number, Chunk &chunk) {
  for (std::int64_t off = number * kChunk; off < low_; ++off) set_bit(number, chunk, off);
}

void PendingSet::to_far(Chunk &chunk, std::int64_t due_ms) {
  chunk.far_min_ms = std::min(chunk.far_min_ms, due_ms);
  far_floor_ms_ = std::min(far_floor_ms_, due_ms);
}

void PendingSet::on_held(std::int64_t queue_off, std::int64_t due_ms, std::int64_t phys_pos, std::int64_t now_ms) {
  GANTRY_ASSERT(queue_off >= end_);
  // What is left out was lost: it must not be waited for.
  for (std::int64_t lost = std::max(end_, low_); lost < queue_off; ++lost) set_bit(lost / kChunk, chunk_of(lost), lost);
  end_ = queue_off + 1;
  if (queue_off < low_) return;
  Chunk &chunk = chunk_of(queue_off);
  if (bit(chunk, queue_off)) return forget_settled_chunks();
  ++waiting_;
  const auto mark = static_cast<std::size_t>(in_chunk(queue_off) / kMark);
  if (chunk.marks.size() <= mark) chunk.marks.resize(mark + 1, kNever);
  chunk.marks[mark] = std::min(chunk.marks[mark], phys_pos);
  const Entry horizon{now_ms + limits_.horizon_ms, 0};
  const Entry entry{due_ms, queue_off};
  // Nothing that is due before the horizon is left out of the heap, so it may reach that far.
  if (entry >= chunk.loaded_until && chunk.far_min_ms >= horizon.due_ms) chunk.loaded_until = std::max(chunk.loaded_until, horizon);
  if (entry >= chunk.loaded_until) return to_far(chunk, due_ms);
  if (!is_claimed(queue_off)) push(entry);
}

void PendingSet::on_settled(std::int64_t queue_off) {
  claimed_.erase(queue_off);
  if (is_settled(queue_off)) return;
  if (queue_off < end_) --waiting_;
  set_bit(queue_off / kChunk, chunk_of(queue_off), queue_off);
  forget_settled_chunks();
}

void PendingSet::settle_before(std::int64_t queue_off) {
  if (queue_off <= low_) return;
  for (auto it = chunks_.begin(); it != chunks_.end() && it->first * kChunk < queue_off; ++it) {
    const std::int64_t begin = std::max(it->first * kChunk, low_);
    const std::int64_t end = std::min((it->first + 1) * kChunk, queue_off);
    for (std::int64_t off = begin; off < end; ++off) {
      if (bit(it->second, off)) continue;
      if (off < end_) --waiting_;
      claimed_.erase(off);
      set_bit(it->first, it->second, off);
    }
  }
  low_ = queue_off;
  end_ = std::max(end_, queue_off);
  forget_settled_chunks();
}

bool PendingSet::is_settled(std::int64_t queue_off) const {
  if (queue_off < low_) return true;
  const auto it = chunks_.find(queue_off / kChunk);
  return it != chunks_.end() && bit(it->second, queue_off);
}

// Whole chunks at the front that are settled are remembered by low_ alone.
void PendingSet::forget_settled_chunks() {
  while (!chunks_.empty()) {
    const auto it = chunks_.begin();
    const std::int64_t end = (it->first + 1) * kChunk;
    if (end > low_ && it->second.count < kChunk) return;
    if (end > low_ && it->first * kChunk > low_) return;  // not next to it: what lies between is not seen yet
    if (it->first == loading_) return;
    low_ = std::max(low_, end);
    end_ = std::max(end_, low_);
    dirty_.erase(it->first);
    saving_.erase(it->first);
    if (it->second.row) removed_rows_.push_back(it->first);
    chunks_.erase(it);
  }
}

void PendingSet::push(Entry entry) {
  near_.push_back(entry);
  std::push_heap(near_.begin(), near_.end(), std::greater<>());
  if (near_.size() > limits_.near_max) shrink();
}

// Keeps the earlier half of the heap; the later one will be read again from the queue's index.
void PendingSet::shrink() {
  const auto middle = near_.begin() + static_cast<std::ptrdiff_t>(near_.size() / 2);
  std::nth_element(near_.begin(), middle, near_.end());
  for (auto it = middle; it != near_.end(); ++it) {
    if (is_settled(it->queue_off)) continue;  // what is claimed may come back
    Chunk &chunk = chunk_of(it->queue_off);
    chunk.loaded_until = std::min(chunk.loaded_until, *it);
    to_far(chunk, it->due_ms);
  }
  near_.erase(middle, near_.end());
  std::make_heap(near_.begin(), near_.end(), std::greater<>());
}

void PendingSet::take_due(std::int64_t now_ms, std::size_t max, std::vector<Entry> &out) {
  while (max > 0) {
    const bool again = !again_.empty() && (near_.empty() || again_.front() < near_.front());
    std::vector<Entry> &heap = again ? again_ : near_;
    if (heap.empty() || heap.front().due_ms > now_ms) return;
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const Entry entry = heap.back();
    heap.pop_back();
    if (!claim(entry.queue_off)) continue;
    out.push_back(entry);
    --max;
  }
}

bool PendingSet::claim(std::int64_t queue_off) { return !is_settled(queue_off) && claimed_.insert(queue_off).second; }

void PendingSet::release(std::int64_t queue_off, std::int64_t due_ms) {
  if (claimed_.erase(queue_off) == 0 || due_ms == kNever) return;
  again_.push_back({due_ms, queue_off});
  std::push_heap(again_.begin(), again_.end(), std::greater<>());
}

PendingSet::Load PendingSet::begin_load(std::int64_t now_ms) {
  if (loading_ >= 0 || far_floor_ms_ > now_ms + limits_.load_ahead_ms) return {};
  auto first = chunks_.end();
  for (auto it = chunks_.begin(); it != chunks_.end(); ++it)
    if (it->second.far_min_ms != kNever && (first == chunks_.end() || it->second.far_min_ms < first->second.far_min_ms)) first = it;
  far_floor_ms_ = first == chunks_.end() ? kNever : first->second.far_min_ms;
  if (far_floor_ms_ > now_ms + limits_.load_ahead_ms) return {};
  // A heap that is full of earlier entries has no use for later ones.
  if (near_.size() >= limits_.near_max / 2 && far_floor_ms_ >= near_.front().due_ms) return {};
  Chunk &chunk = first->second;
  loading_ = first->first;
  loaded_before_ = chunk.loaded_until;
  chunk.far_min_ms = kNever;
  chunk.loaded_until = std::max(chunk.loaded_until, Entry{now_ms + limits_.horizon_ms, 0});
  const Load load{std::max(loading_ * kChunk, low_), std::min((loading_ + 1) * kChunk, end_)};
  if (load.begin < load.end) return load;
  end_load();
  return {};
}

void PendingSet::on_loaded(std::int64_t queue_off, std::int64_t due_ms) {
  GANTRY_ASSERT(queue_off / kChunk == loading_);
  Chunk &chunk = chunk_of(queue_off);
  const Entry entry{due_ms, queue_off};
  if (entry < loaded_before_ || bit(chunk, queue_off)) return;
  if (entry >= chunk.loaded_until) return to_far(chunk, due_ms);
  push(entry);  // also what is claimed: it may come back as one that is yet to come
}

void PendingSet::end_load() {
  loading_ = -1;
  forget_settled_chunks();
}

std::int64_t PendingSet::next_ms() const {
  std::int64_t next = kNever;
  if (!near_.empty()) next = near_.front().due_ms;
  if (!again_.empty()) next = std::min(next, again_.front().due_ms);
  const bool full = near_.size() >= limits_.near_max / 2 && far_floor_ms_ >= near_.front().due_ms;
  if (far_floor_ms_ != kNever && loading_ < 0 && !full) next = std::min(next, far_floor_ms_ - limits_.load_ahead_ms);
  return next;
}

std::int64_t PendingSet::open_from() const {
  std::int64_t at = low_;
  for (const auto &[number, chunk] : chunks_) {
    if (number * kChunk > at || number * kChunk >= end_) break;
    if (chunk.count == kChunk) {
      at = (number + 1) * kChunk;
      continue;
    }
    at = std::max(at, number * kChunk + first_open(chunk.settled));
    if (at < (number + 1) * kChunk) break;
  }
  return std::min(std::max(at, low_), std::max(end_, low_));
}

std::int64_t PendingSet::hold_pos() const {
  if (waiting_ == 0) return kNever;
  const std::int64_t off = open_from();
  const auto it = chunks_.find(off / kChunk);
  const auto mark = static_cast<std::size_t>(in_chunk(off) / kMark);
  return it == chunks_.end() || it->second.marks.size() <= mark ? floor_pos_ : std::max(it->second.marks[mark], floor_pos_);
}

std::vector<PendingSet::ChunkRow> PendingSet::take_rows(std::size_t max) {
  std::vector<ChunkRow> rows;
  while (rows.size() < max && !saving_.empty()) {
    const std::int64_t number = *saving_.begin();
    saving_.erase(saving_.begin());
    dirty_.erase(number);
    Chunk &chunk = chunks_[number];
    chunk.row = true;
    rows.push_back({number, std::string(chunk.settled.begin(), chunk.settled.end())});
  }
  return rows;
}

void PendingSet::put_back_row(std::int64_t number) {
  if (chunks_.contains(number)) dirty_.insert(number);
}

bool PendingSet::restore_chunk(std::int64_t number, std::string_view bitmap) {
  if (number < 0 || (!bitmap.empty() && bitmap.size() != kBitmapBytes)) return false;
  if ((number + 1) * kChunk <= low_) {
    removed_rows_.push_back(number);
    return true;
  }
  Chunk &chunk = chunks_[number];
  chunk.row = true;
  chunk.settled.assign(bitmap.begin(), bitmap.end());
  chunk.count = bitmap.empty() ? kChunk : 0;
  for (const std::uint8_t byte : chunk.settled) chunk.count += std::popcount(byte);
  if (chunk.count < kChunk) settle_below_low(number, chunk);
  forget_settled_chunks();
  return true;
}

}  // namespace gantry::semantics
