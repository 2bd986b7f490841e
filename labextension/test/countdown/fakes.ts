/** A clock, a page and a kernel that do what a test tells them. */

import type { Timers } from '../../src/countdown/clock';
import type { InstanceState, Model, ToKernel } from '../../src/countdown/messages';
import { readState } from '../../src/countdown/messages';

/** 2026-11-23 16:52 in the zone of the tests, +08:00. */
export const NOW = Date.UTC(2026, 10, 23, 8, 52);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** Timers under a clock that only a test moves. */
export class FakeTimers implements Timers {
  /** How late every timer fires, as in a throttled tab. */
  lateMs = 0;
  private wallMs: number;
  private passedMs = 0;
  private nextId = 1;
  private readonly queue = new Map<number, { at: number; callback: () => void }>();

  constructor(wallMs = NOW) {
    this.wallMs = wallMs;
  }

  now(): number {
    return this.wallMs;
  }

  monotonic(): number {
    return this.passedMs;
  }

  setTimeout(callback: () => void, delayMs: number): number {
    const id = this.nextId++;
    this.queue.set(id, { at: this.passedMs + delayMs + this.lateMs, callback });
    return id;
  }

  clearTimeout(id: number): void {
    this.queue.delete(id);
  }

  /** How many timers wait. */
  get pending(): number {
    return this.queue.size;
  }

  /** Let time pass, firing what is due in its order. */
  advance(ms: number): void {
    const end = this.passedMs + ms;
    for (;;) {
      const [id, next] = [...this.queue].sort((a, b) => a[1].at - b[1].at)[0] ?? [];
      if (id === undefined || next === undefined || next.at > end) {
        break;
      }
      this.queue.delete(id);
      this.pass(Math.max(next.at - this.passedMs, 0));
      next.callback();
    }
    this.pass(end - this.passedMs);
  }

  /** Let time pass on the wall only, as a machine does that sleeps; nothing fires. */
  sleep(ms: number): void {
    this.wallMs += ms;
  }

  private pass(ms: number): void {
    this.passedMs += ms;
    this.wallMs += ms;
  }
}

/** An event target that knows how many types are listened to. */
export class CountingTarget extends EventTarget {
  private readonly present = new Set<string>();

  get listeners(): number {
    return this.present.size;
  }

  override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
    this.present.add(args[0]);
    super.addEventListener(...args);
  }

  override removeEventListener(...args: Parameters<EventTarget['removeEventListener']>): void {
    this.present.delete(args[0]);
    super.removeEventListener(...args);
  }
}

/** A model as anywidget gives it, with the kernel's side in the test's hands. */
export class FakeModel implements Model {
  readonly sent: ToKernel[] = [];
  /** Set to make `send` throw, as a closed comm does. */
  closed = false;
  commLive: boolean | null = null;
  private readonly traits: Record<string, unknown>;
  private readonly handlers: [string, (value: unknown) => void][] = [];

  constructor(state: InstanceState, asOfMs = NOW) {
    this.traits = { state, as_of_ms: asOfMs, language: 'en', terminal_prefix: '', own_id: 'id' };
  }

  readonly widget_manager = {
    get_model: (): Promise<unknown> =>
      this.commLive === null
        ? Promise.reject(new Error('no such model'))
        : Promise.resolve({ comm_live: this.commLive }),
  };

  get listeners(): number {
    return this.handlers.length;
  }

  get(name: string): unknown {
    return this.traits[name];
  }

  send(message: ToKernel): void {
    if (this.closed) {
      throw new Error('Cannot send');
    }
    this.sent.push(message);
  }

  on(name: string, callback: (value: unknown) => void): void {
    this.handlers.push([name, callback]);
  }

  off(name: string, callback: (value: unknown) => void): void {
    const at = this.handlers.findIndex(([n, c]) => n === name && c === callback);
    if (at >= 0) {
      this.handlers.splice(at, 1);
    }
  }

  emit(name: string, value?: unknown): void {
    for (const [, callback] of this.handlers.filter(([n]) => n === name)) {
      callback(value);
    }
  }

  /** The kernel sets traits. */
  set(traits: Record<string, unknown>): void {
    Object.assign(this.traits, traits);
    for (const name of Object.keys(traits)) {
      this.emit(`change:${name}`);
    }
  }

  /** The kernel sends a custom message. */
  says(message: object): void {
    this.emit('msg:custom', message);
  }

  /** The requests among the messages. */
  get requests(): Extract<ToKernel, { type: 'request' }>[] {
    return this.sent.filter((message) => message.type === 'request');
  }
}

/** A running instance that stops in `leftMs`. */
export function running(leftMs: number, more: Partial<InstanceState> = {}): InstanceState {
  return {
    ...readState(null),
    status: 'RUNNING',
    enabled: true,
    mode: 'TIMING',
    stops_at_ms: NOW + leftMs,
    run_started_at_ms: NOW - HOUR,
    duration_s: 7200,
    can_change: true,
    ...more,
  };
}

/** The answer to a request that the cloud carried out. */
export const DONE = { ok: true, effect: 'now', code: '', values: {}, text: '' } as const;
