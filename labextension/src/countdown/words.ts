/** What the countdown says, in the language of the page. Every sentence has a code. */

import type { Note } from './actions';
import type { Phase } from './phase';
import { durationParts, isCounting, type Reading } from './phase';
import { en } from './words.en';
import { zh } from './words.zh';

/** The words of one language; `{stop}`, `{left}` and the like are filled in. */
export interface Words {
  readonly locale: string;
  readonly units: readonly [hours: string, minutes: string, seconds: string, onlyMinutes: string];
  /** The label of a phase that has no time left. */
  readonly labels: Readonly<Record<Exclude<Phase, 'calm' | 'soon' | 'urgent'>, string>>;
  /** The word for a phase beside its colour. */
  readonly phases: Readonly<Record<Phase, string>>;
  /** Names and sentences of the surface. */
  readonly ui: Readonly<Record<UiKey, string>>;
  /** Sentences about a click or a reason, by code. */
  readonly notes: Readonly<Record<string, string>>;
}

/** The names and sentences that every language has. */
export type UiKey =
  | 'title'
  | 'demo'
  | 'stopsAt'
  | 'onDate'
  | 'wasToStop'
  | 'stopsIn'
  | 'reason'
  | 'reasonPlain'
  | 'used'
  | 'unchecked'
  | 'asOf'
  | 'notConnected'
  | 'plus'
  | 'minus'
  | 'plusName'
  | 'minusName'
  | 'custom'
  | 'customHint'
  | 'extend'
  | 'busy'
  | 'busyNoCommand'
  | 'busyPage'
  | 'asked'
  | 'copy'
  | 'copied'
  | 'cancel'
  | 'left'
  | 'saved'
  | 'savedWas'
  | 'then';

const LANGUAGES: Readonly<Record<'en' | 'zh', Words>> = { en, zh };

/**
 * The words for a language tag.
 *
 * @param language - a tag such as `zh-CN`; empty: the page's, else the browser's
 */
export function wordsFor(language: string): Words {
  const tag = language || document.documentElement.lang || navigator.language;
  return LANGUAGES[/^zh\b/i.test(tag.replace('_', '-')) ? 'zh' : 'en'];
}

/** Put values into the `{places}` of a sentence. */
export function fill(sentence: string, values: Readonly<Record<string, string>>): string {
  return sentence.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '');
}

/** A duration such as `1 h 12 min`, `9 min 30 s`, `45 s`; units that are zero are left out. */
export function durationLabel(words: Words, totalS: number): string {
  const { hours, minutes, seconds } = durationParts(totalS);
  const [h, min, s, onlyMinutes] = words.units;
  if (hours === 0 && !seconds && minutes > 0) {
    return `${minutes} ${onlyMinutes}`;
  }
  const parts: [number, string][] = [
    [hours, h],
    [minutes, min],
    [seconds ?? 0, s],
  ];
  const shown = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return shown.join(' ') || `0 ${s}`;
}

/** The short label of a reading: the time left, else the phase in words. */
export function label(words: Words, { phase, remainingS }: Reading): string {
  return isCounting(phase)
    ? durationLabel(words, remainingS ?? 0)
    : words.labels[phase as keyof Words['labels']];
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
  const date = at.toLocaleDateString(words.locale, { month: 'short', day: 'numeric' });
  return fill(words.ui.onDate, { date, time });
}

/** "Stops at 18:04, in 30 min": what is announced. */
export function stopsIn(words: Words, stopsAtMs: number, remainingS: number): string {
  const left = durationLabel(words, remainingS);
  return fill(words.ui.stopsIn, { time: clockTime(stopsAtMs), left });
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
  const values = {
    stop: note.stopsAtMs === null ? '' : moment(words, note.stopsAtMs, nowMs),
    left: leftText(words, remainingS),
    saved: savedText(words, note),
  };
  const known = note.codes.map((code) => (code === 'failed' ? undefined : words.notes[code]));
  const said = known.filter((sentence) => sentence !== undefined);
  const sentences = said.map((sentence) => fill(sentence, values)).join(words.ui.then);
  return sentences || note.text || (words.notes.failed ?? '');
}

/** The sentence for a reason code, or `null` when there are no words for it. */
export function reasonText(words: Words, code: string): string | null {
  const sentence = words.notes[code];
  return sentence === undefined ? null : fill(sentence, {});
}

function leftText(words: Words, remainingS: number | null): string {
  return remainingS === null ? '' : fill(words.ui.left, { left: durationLabel(words, remainingS) });
}

function savedText(words: Words, { durationS, previousDurationS }: Note): string {
  if (durationS === null) {
    return '';
  }
  const key = previousDurationS === null ? 'saved' : 'savedWas';
  return fill(words.ui[key], {
    to: durationLabel(words, durationS),
    from: durationLabel(words, previousDurationS ?? 0),
  });
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
