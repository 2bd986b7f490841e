/** The interfaces that all folders share: the state of the instance, the backends, the manager. */

import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import type { SharedClock } from './countdown/clock';
import type { ChangeResult, Snapshot } from './countdown/messages';
import type { AutoStopTime } from './countdown/time-input';

/** An error that prevents reading the instance. */
export interface Problem {
  /** The code of the error. */
  readonly code: string;
  /** The message about it. */
  readonly message: string;
  /** The advice for a user; may be empty. */
  readonly hint: string;
}

/** The properties of an instance. */
export interface InstanceDetails {
  /** The id of the instance. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** Its description; may be empty. */
  readonly description: string;
  /** Its status in the API's notation, such as `RUNNING`. */
  readonly status: string;
  /** The flavor of its hardware. */
  readonly flavor: string;
  /** The API in use, `demanager` or `notebooks`. */
  readonly api: string;
  /** Whether it belongs to the local emulator. */
  readonly demo: boolean;
  /** The auto-stop settings in the form in which an edit sends its base. */
  readonly autoStop: Readonly<Record<string, unknown>>;
}

/** The features of the API in use. */
export interface Capabilities {
  /** Whether the run time counts from the start of the run or from the change. */
  readonly countsFrom: 'start' | 'now';
  /** The minimum run time in seconds. */
  readonly minDurationS: number;
  /** The maximum run time in seconds. */
  readonly maxDurationS: number;
  /** Whether auto-stop can be turned off. */
  readonly canDisable: boolean;
  /** Whether the run time also applies to later starts. */
  readonly persistsDuration: boolean;
}

/** A document that was not saved. */
export interface UnsavedDocument {
  /** The path of its file. */
  readonly path: string;
  /** The code of the reason. */
  readonly reason: string;
}

/** Which documents were saved and which were not. */
export interface SaveReport {
  /** The paths of the saved documents. */
  readonly saved: readonly string[];
  /** The documents that were not saved. */
  readonly notSaved: readonly UnsavedDocument[];
}

/** The previous run of the instance. */
export interface LastRun extends SaveReport {
  /** When it ended, in milliseconds since 1970; `null` when it is not known. */
  readonly endedAtMs: number | null;
  /** Why it ended: `auto-stop`, a text of the server, or empty when it is not known. */
  readonly reason: string;
  /** How long it took, in seconds; `null` when it is not known. */
  readonly durationS: number | null;
}

/**
 * A stop that was not observed: the stop time has passed, and nothing responds any more, because the
 * server stops together with the instance.
 */
export interface PresumedStop {
  /** The stop time in milliseconds since 1970. */
  readonly stopsAtMs: number;
  /** Whether the stop time was confirmed shortly before, and the clock was reliable until then. */
  readonly isConfirmed: boolean;
}

/** The state of the instance, as read from a backend. */
export interface Payload {
  /** The state in the form for a countdown; `null` when it is not known. */
  readonly snapshot: Snapshot | null;
  /** The server's time in milliseconds since 1970; `null` when it did not send it. */
  readonly serverNowMs: number | null;
  /** The offset from UTC, in seconds, with which kernels show times; `null` when it is not known. */
  readonly utcOffsetS: number | null;
  /** Notices of the server, such as that other credentials are used. */
  readonly notices: readonly string[];
  /** Identifies the process that counts `sequence`. */
  readonly serverId: string;
  /** A number that the backend increments with each change; `null` when it does not count. */
  readonly sequence: number | null;
  /** The properties of the instance; `null` when they are not known. */
  readonly instance: InstanceDetails | null;
  /** The features of the API; `null` when it is not known. */
  readonly capabilities: Capabilities | null;
  /** Whether reminders are off for this instance. */
  readonly remindersMuted: boolean;
  /** The error that prevents reading the instance; `null` when there is none. */
  readonly problem: Problem | null;
  /** Whether the state comes from another process and cannot be changed by the backend. */
  readonly readOnly: boolean;
  /** The last change, if it can be undone; otherwise `null`. */
  readonly undo: UndoOffer | null;
  /** Why the last change cannot be undone, as a text of the server; empty if it can be, or there is none. */
  readonly undoRefusal: string;
  /** The run time that later starts had before an extension; `null` when there is none to restore. */
  readonly restore: RestoreOffer | null;
  /** The address of ModelArts in the console; empty when it is not known. */
  readonly consoleUrl: string;
  /**
   * The work that the instance is kept running for, as it was received; empty when there is none.
   * `readKeepState` of `panel/keep-state.ts` reads it, which is not part of the page load.
   */
  readonly keep: unknown;
  /** The previous run; `null` when it is not known. */
  readonly lastRun: LastRun | null;
  /** The documents that all tabs saved before the next stop; `null` when nothing had to be saved. */
  readonly savedThisRun: SaveReport | null;
}

/** The result of one check of the doctor. */
export interface Finding {
  /** The subject of the check. */
  readonly label: string;
  /** The severity, such as `ok` or `problem`. */
  readonly level: string;
  /** The message about it. */
  readonly message: string;
  /** The advice for a user; may be empty. */
  readonly hint: string;
}

/** A complete record of the output of a guarded cell. */
export interface CellRecord {
  /** The id of the record. */
  readonly id: string;
  /** The name of the work. */
  readonly name: string;
  /** The id of the cell in its notebook. */
  readonly cellId: string;
  /** The number of printed lines. */
  readonly lines: number;
  /** The number of characters of text in the outputs. */
  readonly shownLength: number;
}

/** A request to a backend. */
export interface BackendRequest {
  /** The HTTP method. */
  readonly method: 'GET' | 'PATCH' | 'POST' | 'DELETE';
  /** The path below `/modelarts-magics/v1/`, with its query. */
  readonly path: string;
  /** The body, sent as JSON. */
  readonly body?: object;
}

/** The kind of a backend: the extension of the Jupyter server, or a kernel started for it. */
export type BackendKind = 'server-extension' | 'helper-kernel';

/** A process that can call the ModelArts API. */
export interface IBackend {
  /** The kind of the backend. */
  readonly kind: BackendKind;
  /** Whether it sends change events at present; otherwise the manager reads regularly. */
  readonly pushesEvents: boolean;
  /**
   * Send a request.
   *
   * @returns the JSON of the response
   * @throws {@link BackendError} if the request failed
   */
  call(request: BackendRequest): Promise<unknown>;
  /** Release its resources. May be called more than once. */
  dispose(): void;
}

/** Optional properties of an error. */
interface BackendErrorOptions {
  readonly hint?: string;
  readonly status?: number;
  readonly details?: unknown;
}

/** A failed request to a backend. */
export class BackendError extends Error {
  /** `no-backend` without a backend, `unreachable` without a response, else the backend's own code. */
  readonly code: string;
  /** The advice for a user; may be empty. */
  readonly hint: string;
  /** The HTTP status; 0 without a response. */
  readonly status: number;
  /** The whole response. */
  readonly details: unknown;

  constructor(
    code: string,
    message = '',
    { hint = '', status = 0, details }: BackendErrorOptions = {},
  ) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.status = status;
    this.details = details;
  }
}

/** A change of auto-stop. Absent properties are not changed. */
export interface AutoStopEdit extends AutoStopTime {
  /** Whether auto-stop should be on. */
  readonly enabled?: boolean;
}

/** A change of an instance. Absent properties are not changed. */
export interface InstanceEdit {
  /** The new description. */
  readonly description?: string;
  /** The change of auto-stop. */
  readonly auto_stop?: AutoStopEdit;
  /** The values on which the change is based. If they differ now, it is refused. */
  readonly base?: {
    readonly description?: string;
    readonly auto_stop?: Readonly<Record<string, unknown>>;
  };
}

/** A change that can be undone. */
export interface UndoOffer {
  /** The action of the change, such as `extend`. */
  readonly action: string;
  /** The state that undoing restores, as a text of the server. */
  readonly restores: string;
}

/** The run time of later starts, to be restored after an extension that has lengthened them. */
export interface RestoreOffer {
  /** The run time in seconds. */
  readonly durationS: number;
  /** Whether it will be restored at the next start. */
  readonly isPlanned: boolean;
}

/** A change of what keeps the instance running, or a report about the planned stop. */
export interface KeepChange {
  /**
   * End it, extend it, do not stop the instance after it or only later, keep the instance until a
   * running cell ends or while anything works, stop it when nothing works, or report what this tab
   * has saved or that it shows a prompt.
   */
  readonly action:
    | 'end'
    | 'extend'
    | 'cancel-stop'
    | 'postpone-stop'
    | 'keep-cell'
    | 'report-page'
    | 'report-input'
    | 'keep-while-busy'
    | 'stop-when-idle';
  /** The id of one of them, of the planned stop, or of the kernel of the cell; absent for all. */
  readonly id?: string;
  /** The name of the notebook of the cell. */
  readonly name?: string;
  /** By how much it is extended, how much later the instance stops, or the time without work (0: off). */
  readonly seconds?: number;
  /** Identifies the tab that reports. */
  readonly tab?: string;
  /** Whether it has saved its documents. */
  readonly saved?: boolean;
  /** Whether it shows a prompt of the kernel. */
  readonly waits?: boolean;
}

/** An event that announces a change, after which the instance is read again. */
export interface ChangeEvent {
  /** Identifies the process that counts `sequence`. */
  readonly serverId: string;
  /** The number of the change; `null` when the sender does not count. */
  readonly sequence: number | null;
}

/** The outcome of a change. */
export interface Outcome {
  /** The result. */
  readonly result: ChangeResult;
  /** Whether it was refused because the values were changed elsewhere. */
  readonly isConflict: boolean;
}

/** The settings. */
export interface Preferences {
  /** Minutes before the stop at which a reminder is shown. */
  readonly remindMinutes: readonly number[];
  /** The seconds by which the command and a reminder's button extend the run. */
  readonly extensionS: number;
  /** The content of the status item. */
  readonly statusShows: 'time-left' | 'stop-time' | 'both';
  /** Whether times of day are shown as `18:04` instead of `6:04 pm`. */
  readonly use24HourClock: boolean;
  /** Whether the panel shows the details of the instance. */
  readonly showDetails: boolean;
  /** Whether modified documents are saved before the stop. */
  readonly saveBeforeStop: boolean;
  /** Minutes before the stop at which they are saved. */
  readonly saveMinutes: number;
}

/** The preferences until the settings are read, and without settings. */
export const DEFAULT_PREFERENCES: Preferences = {
  remindMinutes: [30, 10, 2],
  extensionS: 3600,
  statusShows: 'time-left',
  use24HourClock: true,
  showDetails: true,
  saveBeforeStop: true,
  saveMinutes: 2,
};

/** Provides the state of the instance and changes it. Only the manager uses a backend. */
export interface IManager extends IDisposable {
  /** Emitted when any of the properties below has changed. */
  readonly changed: ISignal<IManager, void>;
  /** The last known state; `null` before the first response. */
  readonly payload: Payload | null;
  /** The error of the last read; `null` when it succeeded. */
  readonly failure: BackendError | null;
  /** Whether changes are announced by events; otherwise the state may be half a minute old. */
  readonly isLive: boolean;
  /** The stop that explains why nothing responds; `null` when there is none. */
  readonly presumedStop: PresumedStop | null;
  /** The kind of the backend in use; `null` when it is not known. */
  readonly backend: BackendKind | null;
  /** The server's clock. */
  readonly clock: SharedClock;
  /** The documents saved before the next stop; `null` when nothing had to be saved. */
  readonly savedBeforeStop: SaveReport | null;
  /** The settings. */
  preferences: Preferences;
  /** Read the instance from the backend or, with `fromApi`, from the ModelArts API. Never rejects. */
  refresh(fromApi?: boolean): Promise<void>;
  /**
   * Extend this run, or shorten it if `seconds` is negative. If only later runs would become longer,
   * the user is asked first. Never rejects.
   *
   * @param seconds - the difference
   * @param baseStopsAtMs - the stop time on which the change is based; if it differs, it is refused
   */
  extend(seconds: number, baseStopsAtMs: number): Promise<Outcome>;
  /** Change description or auto-stop. Never rejects. */
  edit(edit: InstanceEdit): Promise<Outcome>;
  /** Restore the state before the last change, unless something else was changed since. Never rejects. */
  undo(): Promise<Outcome>;
  /** Restore the run time of later starts as soon as this does not move the stop time. Never rejects. */
  restoreRunTime(): Promise<Outcome>;
  /** Stop the instance now. Never rejects. */
  stop(): Promise<Outcome>;
  /** Return the last changes as texts of the server, the newest first. Rejects with {@link BackendError}. */
  readHistory(): Promise<readonly string[]>;
  /** Change what keeps the instance running; the result has a text of the server. Never rejects. */
  changeKeep(change: KeepChange): Promise<Outcome>;
  /** Turn the reminders of this instance off or on. Never rejects. */
  muteReminders(muted: boolean): Promise<Outcome>;
  /**
   * Report which documents this tab has saved before the stop. Never rejects.
   *
   * @param stopsAtMs - the stop time
   * @param report - which documents were saved and which were not
   * @param tab - identifies the tab
   */
  reportSaved(stopsAtMs: number, report: SaveReport, tab: string): Promise<void>;
  /** Dismiss the notice about the last run. Never rejects. */
  dismissLastRun(): Promise<void>;
  /** Return what works on the instance, as lines of the server. Rejects with {@link BackendError}. */
  readActivity(): Promise<readonly string[]>;
  /** Send a request of a section of the panel. Rejects with {@link BackendError}. */
  callBackend(request: BackendRequest): Promise<unknown>;
  /** Run the checks of the doctor. Rejects with {@link BackendError}. */
  runDoctor(): Promise<readonly Finding[]>;
  /** List the records of guarded cells, the newest first. Rejects with {@link BackendError}. */
  listRecords(): Promise<readonly CellRecord[]>;
  /** Return the recorded outputs in the format of a notebook. Rejects with {@link BackendError}. */
  readRecord(id: string): Promise<readonly unknown[]>;
}

/** The manager, for other extensions too. */
export const IManager = new Token<IManager>(
  'modelarts-magics-lab:IManager',
  'Provides the state of the instance and changes it.',
);

/** Stop times that differ by less than this are equal, read with different accuracy. */
const STOP_TIME_TOLERANCE_MS = 60_000;

/** Return whether two stop times are equal within the accuracy of the API. */
export function isSameStopTime(oneMs: number, otherMs: number): boolean {
  return Math.abs(oneMs - otherMs) <= STOP_TIME_TOLERANCE_MS;
}

/** The ids of the commands. */
export const COMMAND_IDS = {
  extend: 'modelarts-magics:extend',
  setAutoStop: 'modelarts-magics:set-auto-stop',
  turnOff: 'modelarts-magics:turn-off-auto-stop',
  editDescription: 'modelarts-magics:edit-description',
  undo: 'modelarts-magics:undo',
  stop: 'modelarts-magics:stop-instance',
  letGo: 'modelarts-magics:let-go',
  keepCell: 'modelarts-magics:keep-cell',
  refresh: 'modelarts-magics:refresh',
  showPanel: 'modelarts-magics:show-panel',
  saveAll: 'modelarts-magics:save-all',
  settings: 'modelarts-magics:open-settings',
} as const;

/** A field or, for the first one, a button of the panel that can be focused. */
export type PanelField = 'extend' | 'description' | 'auto-stop';

/** The panel's id in the shell. */
export const PANEL_ID = 'modelarts-magics-panel';

/** The name of the translation catalogue. */
export const TRANSLATION_DOMAIN = 'modelarts_magics';
