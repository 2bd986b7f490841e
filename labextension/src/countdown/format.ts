/** What the countdown says, in the language of the page. */

import type { Note } from './actions';
import { durationParts, isCounting, type Reading } from './phase';
import { type Code, NOTES, SENTENCES } from './strings';

/** Says a code in one language, with values put into the places of the sentence. */
export type Words = (code: Code, values?: Readonly<Record<string, string | number>>) => string;

const inLanguage =
  (index: 0 | 1): Words =>
  (code, values = {}) =>
    SENTENCES[code][index].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));

const ENGLISH = inLanguage(0);
const CHINESE = inLanguage(1);

/**
 * The words for a language tag.
 *
 * @param language - a tag such as `zh-CN`; empty: the page's, else the browser's
 */
export function wordsFor(language: string): Words {
  const tag = language || document.documentElement.lang || navigator.language;
  return /^zh/i.test(tag) ? CHINESE : ENGLISH;
}

/** A duration such as `1 h 12 min`, `9 min 30 s`, `45 s`; units that are zero are left out. */
export function durationLabel(words: Words, totalS: number): string {
  const { hours, minutes, seconds } = durationParts(totalS);
  const minuteCode: Code = hours > 0 || seconds ? 'min' : 'onlyMin';
  const parts = [
    hours > 0 && words('h', { n: hours }),
    minutes > 0 && words(minuteCode, { n: minutes }),
    seconds && words('s', { n: seconds }),
  ];
  return parts.filter(Boolean).join(' ') || words('s', { n: 0 });
}

/** The short label of a reading: the time left, else the phase in words. */
export function label(words: Words, { phase, remainingS }: Reading): string {
  return isCounting(phase) ? durationLabel(words, remainingS ?? 0) : words(`is-${phase}`);
}

/** `2026-11-23T18:04…` on local clocks: an ISO date read as if local time were UTC. */
function localIso(ms: number): string {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString();
}

const day = (ms: number): string => localIso(ms).slice(0, 10);

const TWELVE_HOURS = { hour: 'numeric', minute: 'numeric', hour12: true } as const;

/** Local time of day: `18:04`, or `6:04 pm` where the page has `data-ma-clock`, which asks for that. */
export function clockTime(words: Words, ms: number): string {
  return document.documentElement.dataset['maClock']
    ? new Date(ms).toLocaleTimeString(words('locale'), TWELVE_HOURS)
    : localIso(ms).slice(11, 16);
}

/** Local date, time and offset, `2026-11-23 18:04 +08:00`: true on any later day. */
export function stamp(words: Words, ms: number): string {
  const offset = String(new Date(ms)).replace(/.*GMT(...)(..).*/, '$1:$2');
  return `${day(ms)} ${clockTime(words, ms)} ${offset}`;
}

/** `18:04`, with the date when that is not today. */
export function moment(words: Words, ms: number, nowMs: number): string {
  const time = clockTime(words, ms);
  if (day(ms) === day(nowMs)) {
    return time;
  }
  const format = { month: 'short', day: 'numeric' } as const;
  return words('onDate', { date: new Date(ms).toLocaleDateString(words('locale'), format), time });
}

/** "Stops at 18:04, in 30 min": what is announced. */
export function stopsIn(words: Words, stopsAtMs: number, remainingS: number): string {
  return words('stopsIn', {
    time: clockTime(words, stopsAtMs),
    left: durationLabel(words, remainingS),
  });
}

/**
 * The sentence of a note. Codes without words, and plain failures, give the kernel's own text.
 *
 * @param nowMs - the server's time now
 * @param remainingS - seconds left now, `null` when nothing counts
 */
export function noteText(
  words: Words,
  note: Note,
  nowMs: number,
  remainingS: number | null,
): string {
  const { stopsAtMs, durationS, previousDurationS } = note;
  const span = (totalS: number): string => durationLabel(words, totalS);
  const saved = durationS !== null && previousDurationS !== null;
  const values = {
    stop: stopsAtMs === null ? '' : moment(words, stopsAtMs, nowMs),
    left: remainingS === null ? '' : words('left', { left: span(remainingS) }),
    saved: saved ? words('saved', { to: span(durationS), from: span(previousDurationS) }) : '',
  };
  const said = note.codes.map(find).filter((code) => code && code !== 'failed');
  const sentences = said.map((code) => words(code ?? 'failed', values)).join(' ');
  // A Chinese full stop brings its own space.
  return sentences.replace(/。 /g, '。') || note.text || words('failed');
}

/** The sentence of a code from the wire or of a phase; no other word of ours may be meant by it. */
function find(code: string): Code | undefined {
  const known = (table: object, name: string): name is Code => Object.hasOwn(table, name);
  const phase = `is-${code}`;
  return known(NOTES, code) ? code : known(SENTENCES, phase) ? phase : undefined;
}

/** The sentence for a reason code, else the phase of that name, else that the time is unknown. */
export function reasonText(words: Words, code: string): string {
  return words(find(code) ?? 'is-unknown');
}

/** No more digits than a calendar can be told. */
const DURATION =
  /^([-+]?)(?:([\d.]{1,7})(?:h|小时))?(?:(\d{1,7})(?:m|min|分钟?|$))?(?:(\d{1,7})(?:s|秒))?$/i;

/**
 * Seconds in `90m`, `2h30m`, `1.5h`, `5400s`, `2 小时 30 分`; negative after a minus; `null` when it is
 * none of these. A bare number has no unit, and `18:00` is a time of day.
 */
export function parseDuration(typed: string): number | null {
  const bare = typed.replace(/\s/g, '').replace('−', '-');
  const [, sign, h, m, s] = DURATION.exec(bare) ?? [];
  const seconds = Math.round(+(h ?? 0) * 3600) + +(m ?? 0) * 60 + +(s ?? 0);
  return seconds > 0 && /[^-+\d]/.test(bare) ? seconds * (sign === '-' ? -1 : 1) : null;
}

/** Seconds as a terminal command takes them, in whole minutes: `1h`, `150m`. */
export function commandDuration(seconds: number): string {
  return seconds % 3600 ? `${Math.ceil(seconds / 60)}m` : `${seconds / 3600}h`;
}
