/** What the countdown says, in the language of the page. */

import type { Note } from './actions';
import { durationParts, isCounting, type Reading } from './phase';
import { type Code, SENTENCES } from './sentences';

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

const two = (count: number): string => String(count).padStart(2, '0');

/** Local time of day, `18:04`. */
export function clockTime(ms: number): string {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** Local date, time and offset, `2026-11-23 18:04 +08:00`: true on any later day. */
export function stamp(ms: number): string {
  const at = new Date(ms);
  const east = -at.getTimezoneOffset();
  const offset = `${two(Math.floor(Math.abs(east) / 60))}:${two(Math.abs(east) % 60)}`;
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${clockTime(ms)} ${east < 0 ? '-' : '+'}${offset}`;
}

/** `18:04`, with the date when that is not today. */
export function moment(words: Words, ms: number, nowMs: number): string {
  const time = clockTime(ms);
  const at = new Date(ms);
  if (at.toDateString() === new Date(nowMs).toDateString()) {
    return time;
  }
  const date = at.toLocaleDateString(words('locale'), { month: 'short', day: 'numeric' });
  return words('onDate', { date, time });
}

/** "Stops at 18:04, in 30 min": what is announced. */
export function stopsIn(words: Words, stopsAtMs: number, remainingS: number): string {
  return words('stopsIn', { time: clockTime(stopsAtMs), left: durationLabel(words, remainingS) });
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
  const said = note.codes.filter((code) => hasWords(code) && code !== 'failed');
  const sentences = said.map((code) => words(code as Code, values)).join(' ');
  // A Chinese full stop brings its own space.
  return sentences.replace(/。 /g, '。') || note.text || words('failed');
}

/** Whether there are words for a code that came over the wire. */
export function hasWords(code: string): code is Code {
  return Object.prototype.hasOwnProperty.call(SENTENCES, code);
}

/** The sentence for a reason code; without words for it, the general one. */
export function reasonText(words: Words, code: string): string {
  return words(hasWords(code) ? code : 'unknown');
}

const SHAPES: readonly RegExp[] = [
  /^(?<h>\d+):(?<m>[0-5]\d)$/,
  /^(?:(?<h>\d+(?:\.\d+)?)(?:h|hr|hours?|小时|时))?(?:(?<m>\d+)(?:m|min|minutes?|分钟?))?$/i,
];

/** Seconds in `90m`, `2h30m`, `1:30`, `1.5h`, `2 小时 30 分`; negative after a minus; else `null`. */
export function parseDuration(typed: string): number | null {
  const compact = typed.replace(/\s+/g, '').replace('：', ':').replace('−', '-');
  const sign = compact.startsWith('-') ? -1 : 1;
  const bare = compact.replace(/^[-+]/, '');
  const groups = SHAPES.map((shape) => shape.exec(bare)?.groups).find((found) => found);
  const minutes = Math.round(Number(groups?.h ?? 0) * 60) + Number(groups?.m ?? 0);
  return minutes > 0 ? sign * minutes * 60 : null;
}

/** Seconds as a terminal command takes them: `1h`, `2h30m`, `90s`. */
export function commandDuration(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = seconds % 60;
  const [h, m, s] = [hours && `${hours}h`, minutes && `${minutes}m`, rest && `${rest}s`];
  return [h, m, s].filter(Boolean).join('');
}
