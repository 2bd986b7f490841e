/**
 * The messages between the countdown and the kernel or the extension of the page. Field names are
 * in snake case; times are in milliseconds since 1970 by the server's clock, durations in seconds.
 *
 * Synchronized traits, which only the kernel sets:
 * - `state`: {@link InstanceState}; `as_of_ms`: when it was observed. Both are set together.
 * - `widget_id`: the model id of the widget. With it the widget manager can be asked whether the model
 *   still has a comm. If it is empty, a missing kernel cannot be distinguished from a busy one.
 * - `language`: a tag that starts with `en` or `zh`; empty for the language of the page.
 *
 * Custom messages: {@link MessageFromKernel}, {@link MessageToKernel}. Page events: {@link PAGE_EVENTS}.
 */

/** The range of stop times that a change of this run may request. */
export interface Bounds {
  /** The earliest stop time. */
  readonly earliest_stop_ms: number;
  /** The latest stop time. */
  readonly latest_stop_ms: number;
  /** Whether the bounds are relative to the current time and were computed for `as_of_ms`. */
  readonly from_now: boolean;
}

/** The last known state of an instance and its auto-stop. */
export interface InstanceState {
  /** The id of the instance. Names are not unique. */
  readonly id: string;
  /** The stop time; `null` when there is none or it is not known. */
  readonly stops_at_ms: number | null;
  /** The status in the API's notation, such as `RUNNING`. */
  readonly status: string;
  /** Whether auto-stop is on; `null` when the API did not return it. */
  readonly enabled: boolean | null;
  /** `TIMING` stops at a set time, `IDLE` when usage is low; `null` when auto-stop is not on. */
  readonly mode: string | null;
  /** Whether the console shows a reminder of the stop; `null` when the API has no such setting. */
  readonly prompt: boolean | null;
  /** The API in use, `demanager` or `notebooks`; shown in a tooltip. */
  readonly api: string;
  /** The start of this run; `null` when it is not known. */
  readonly run_started_at_ms: number | null;
  /** The run time; `null` when it is not known or not a setting. */
  readonly duration_s: number | null;
  /** The name of the instance. */
  readonly name: string;
  /** Whether the instance belongs to the local emulator. */
  readonly demo: boolean;
  /** Why the stop time is not known, as a key of strings.ts; empty when it is known. */
  readonly unknown_reason: string;
  /** The stop time that has passed while the instance still runs, else `null`; base of an extension. */
  readonly passed_stop_ms: number | null;
  /** The range of possible stop times; `null` when it is not known. */
  readonly bounds: Bounds | null;
  /** Whether API and credentials permit changing the stop time of this run. */
  readonly can_change: boolean;
  /** Why they do not, as a key of strings.ts; empty when they do. */
  readonly reason: string;
}

/** A state and when it was observed. The later of two snapshots takes precedence. */
export interface Snapshot {
  /** The state. */
  readonly state: InstanceState;
  /** When the state was observed. */
  readonly as_of_ms: number;
}

/** A request for a change of the stop time, collected from any number of clicks. */
export interface ChangeRequest {
  /** Identifies the request in its result. */
  readonly id: string;
  /** Whether to move the stop time later or earlier. */
  readonly action: 'extend' | 'shorten';
  /** The difference, always positive. */
  readonly seconds: number;
  /** The stop time on which the change is based. If it differs now, the result is `changed`. */
  readonly base_stops_at_ms: number;
  /** Whether the user agreed to lengthen only later runs, after the result `lengthens-later-runs`. */
  readonly lengthen_later_runs?: boolean;
}

/**
 * The result of a {@link ChangeRequest}. A kernel sets the traits to the new state before it sends
 * the result; the extension of the page sends both together, see {@link StateUpdate}.
 */
export interface ChangeResult {
  /** Whether the request was carried out. */
  readonly ok: boolean;
  /** The effect according to the response of the API; `null` when nothing was changed. */
  readonly effect: 'now' | 'next-start' | 'unconfirmed' | null;
  /** Why it was refused, or which bound limited it (`at-latest`, `at-earliest`); else empty. */
  readonly code: string;
  /** Numbers that the message mentions. */
  readonly values: ResultValues;
  /** The message of the kernel or server, shown when `code` is not a key of strings.ts. */
  readonly text: string;
}

/**
 * Optional fields of a result: the state read after the change and when it was observed (both or
 * none), and the server's time.
 */
export interface StateUpdate extends Partial<Snapshot> {
  /** The server's time when the message was sent. */
  readonly server_now_ms?: number;
}

/** Numbers that the message about a {@link ChangeResult} mentions. */
export interface ResultValues {
  /** The run time that was saved. */
  readonly duration_s?: number | null;
  /** The run time that it replaces. */
  readonly previous_duration_s?: number | null;
  /** The setting that may keep this run, if it was to be extended and was not. */
  readonly keeps_running?: 'off' | 'idle';
  /** The description that was read back, if another process changed it meanwhile. */
  readonly description_elsewhere?: string;
}

/** A message from the page to the kernel. `hello` and `bye` name a view that was created or removed. */
export type MessageToKernel =
  | { readonly type: 'hello' | 'bye'; readonly view: string }
  | ({ readonly type: 'request' } & ChangeRequest)
  | { readonly type: 'cancel'; readonly id: string };

/**
 * A message from the kernel to the page. `now` is the response to `hello`; `terminal_prefix` is the
 * start of a command line that needs no kernel, such as `/opt/env/bin/python -m modelarts_magics`,
 * to which `extend 1h` or `shorten 1h` is appended. It is no trait, because traits are saved.
 */
export type MessageFromKernel =
  | { readonly type: 'now'; readonly server_now_ms: number; readonly terminal_prefix?: string }
  | ({ readonly type: 'result'; readonly id: string } & ChangeResult & StateUpdate);

/**
 * Events on the element of a countdown widget (`.ma-Countdown`, with the id of the instance in
 * `data-instance`), for a page with the extension:
 * - `request` (bubbles, cancelable): `detail` is a {@link ChangeRequest} with `respond(result)`, where
 *   `result` is {@link ChangeResult} & {@link StateUpdate}. A listener that responds calls
 *   `preventDefault()`; otherwise the request is sent to the kernel.
 * - `cancel` (bubbles): `detail` is the `{id}` of a request that the page has accepted.
 * - `state` (dispatched at the element): `detail` is `{state, as_of_ms, server_now_ms?}`.
 */
export const PAGE_EVENTS = {
  request: 'modelarts-magics:request',
  cancel: 'modelarts-magics:cancel',
  state: 'modelarts-magics:state',
} as const;

/** The part of anywidget's model that the countdown uses. */
export interface WidgetModel {
  /** Return the value of a trait. */
  get(name: string): unknown;
  /** Send a custom message to the kernel. */
  send(message: MessageToKernel): void;
  /** Call back on each event of a name. */
  on(name: string, callback: (value: unknown) => void): void;
  /** Stop calling back. */
  off(name: string, callback: (value: unknown) => void): void;
  /** The widget manager of the page, for looking up the model by its id. */
  readonly widget_manager?: { get_model?(id: string): Promise<unknown> | undefined };
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Return an object as one with unknown fields, anything else as an empty object. */
export function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? (value as JsonObject) : {};
}

/** Return an array as it is, anything else as an empty one. */
export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Return a number as it is, anything else as `null`. */
export function asNumber(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

/** Return a string as it is, anything else as an empty string. */
export function asString(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

const EMPTY_STATE: InstanceState = {
  id: '',
  stops_at_ms: null,
  status: '',
  enabled: null,
  mode: null,
  prompt: null,
  api: '',
  run_started_at_ms: null,
  duration_s: null,
  name: '',
  demo: false,
  unknown_reason: '',
  passed_stop_ms: null,
  bounds: null,
  can_change: false,
  reason: '',
};

const NO_RESULT: ChangeResult = {
  ok: false,
  effect: null,
  code: '',
  values: {},
  text: '',
};

/** Read a state. Missing fields get their defaults, because an older version may not send them. */
export function readState(value: unknown): InstanceState {
  return { ...EMPTY_STATE, ...asObject(value) };
}

/** Read a snapshot; returns `null` when the value contains none. */
export function readSnapshot(value: unknown): Snapshot | null {
  const { state, as_of_ms: asOfMs } = asObject(value);
  return state && typeof asOfMs === 'number' ? { state: readState(state), as_of_ms: asOfMs } : null;
}

/** Read the result of a request from a message of the kernel or a response of the page. */
export function readChangeResult(value: unknown): ChangeResult {
  return { ...NO_RESULT, ...asObject(value) };
}
