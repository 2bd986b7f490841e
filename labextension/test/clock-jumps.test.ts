/**
 * The local clock is set, or the machine sleeps: reminders, saved documents and the time left follow
 * the server's time in every state of panel and page.
 */

import { CommandRegistry } from '@lumino/commands';
import { afterEach, describe, expect, it } from 'vitest';
import { AutoSaver, type DirtyDocument } from '../src/autosave/autosave';
import { Panel } from '../src/panel/panel';
import { Reminders } from '../src/reminders/reminders';
import { StatusItem } from '../src/status-item';
import { createFakeOncePerBrowser } from './browser/fakes';
import { HOUR, MINUTE, NOW } from './countdown/fakes';
import {
  fakeLock,
  FakeShell,
  flushPromises,
  instancePayload,
  ManagerHarness,
  trans,
} from './fakes';

const RESPONSE_DELAY_MS = 500;
/** A reminder follows within this time, also from a hidden page. */
const REMINDER_DELAY_MS = 5_000;

const REMIND_MINUTES = [4, 1];

type PanelState = 'never shown' | 'shown' | 'collapsed';
type PageState = 'visible' | 'hidden' | 'waking';

/** A page with all views, and a server whose clock is the true time. */
class Page {
  readonly harness = new ManagerHarness();
  readonly reminders: { atMs: number; remainingS: number }[] = [];
  readonly saves: number[] = [];
  readonly statusItem: StatusItem;
  readonly panel: Panel | null;
  stopsAtMs = NOW + 7 * MINUTE;
  isServerReachable = true;
  serverAheadMs = 0;
  #sleptMs = 0;
  #sequence = 0;
  #documents: DirtyDocument[] = [];

  constructor(panelState: PanelState = 'shown') {
    const { manager, timers, backend } = this.harness;
    backend.respond = () => this.#respond();
    manager.preferences = { ...manager.preferences, remindMinutes: REMIND_MINUTES };
    new Reminders({
      ...{ manager, timers, oncePerBrowser: createFakeOncePerBrowser() },
      isVisible: () => this.harness.isVisible,
      show: ({ remainingS }) => {
        this.reminders.push({ atMs: this.trueMs, remainingS });
        return () => undefined;
      },
    });
    new AutoSaver({
      ...{ manager, timers, lock: fakeLock() },
      dirtyDocuments: () => this.#documents,
    });
    this.statusItem = new StatusItem({ manager, trans, timers, onClick: () => undefined });
    this.panel =
      panelState === 'never shown'
        ? null
        : new Panel({
            ...{ manager, trans, timers },
            ...{ commands: new CommandRegistry(), shell: new FakeShell() },
          });
    if (this.panel) {
      this.panel.node.hidden = panelState === 'collapsed';
      document.body.append(this.panel.node);
    }
  }

  /** The true time, which the server knows. */
  get trueMs(): number {
    return NOW + this.harness.timers.monotonic() + this.#sleptMs;
  }

  get leftMs(): number {
    return this.stopsAtMs - this.trueMs;
  }

  async open(): Promise<this> {
    void this.harness.manager.refresh();
    await this.harness.advance(RESPONSE_DELAY_MS);
    return this;
  }

  /** Advance the clocks in small steps, so that promises are settled between the timers. */
  async wait(ms: number): Promise<void> {
    for (let restMs = ms; restMs > 0; restMs -= 1_000) {
      await this.harness.advance(Math.min(1_000, restMs));
    }
  }

  /** Advance the clocks until so much time is left. */
  async advanceUntilLeft(leftMs: number): Promise<void> {
    await this.wait(this.leftMs - leftMs);
  }

  /** Set the local clock by some milliseconds while the page is in a state. */
  async setLocalClock(ms: number, pageState: PageState): Promise<void> {
    this.harness.isVisible = pageState === 'visible';
    this.harness.timers.sleep(ms);
    if (pageState === 'waking') {
      this.harness.isVisible = true;
      this.harness.wakeUp();
    }
    await flushPromises();
  }

  /** Sleep: the true time and the local clock advance, the monotonic clock and timers do not. */
  sleep(ms: number): void {
    this.#sleptMs += ms;
    this.harness.timers.sleep(ms);
  }

  addDirtyDocument(): void {
    const document = {
      ...{ key: {}, path: 'a.ipynb' },
      findBlocker: () => Promise.resolve(null),
      save: () => {
        this.saves.push(this.leftMs);
        this.#documents = [];
        return Promise.resolve();
      },
    };
    this.#documents = [document];
  }

  get statusText(): string {
    return (this.statusItem.node.textContent ?? '').replace('Stops in ', '');
  }

  /** The text of the panel's countdown, and whether it is marked as not synchronized. */
  get panelText(): readonly [text: string, isMarked: boolean] {
    const find = (part: string): HTMLElement | null | undefined =>
      this.panel?.node.querySelector<HTMLElement>(`.ma-Countdown-${part}`);
    const seconds = find('seconds')?.textContent ?? '';
    return [`${find('timeLeft')?.textContent ?? ''} ${seconds}`.trim(), !find('unsynced')?.hidden];
  }

  #respond(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.harness.timers.setTimeout(() => {
        if (this.isServerReachable) {
          const nowMs = this.trueMs + this.serverAheadMs;
          const times = { as_of_ms: nowMs, server_now_ms: nowMs, seq: ++this.#sequence };
          resolve(instancePayload(this.stopsAtMs - NOW, times));
        } else {
          reject(new TypeError(''));
        }
      }, RESPONSE_DELAY_MS);
    });
  }
}

afterEach(() => {
  document.body.replaceChildren();
});

const JUMPS_MS = [-5 * MINUTE, -2 * HOUR, 5 * MINUTE, 2 * HOUR];
const PANEL_STATES: readonly PanelState[] = ['never shown', 'shown', 'collapsed'];
const PAGE_STATES: readonly PageState[] = ['visible', 'hidden', 'waking'];
const CELLS = JUMPS_MS.flatMap((jumpMs) =>
  PANEL_STATES.flatMap((panel) => PAGE_STATES.map((page) => ({ jumpMs, panel, page }))),
);

describe.each(CELLS)('after $jumpMs ms, with the panel $panel and the page $page', (cell) => {
  const openAndJump = async (): Promise<Page> => {
    const page = await new Page(cell.panel).open();
    page.addDirtyDocument();
    await page.advanceUntilLeft(6 * MINUTE);
    await page.setLocalClock(cell.jumpMs, cell.page);
    return page;
  };

  it('each reminder is shown when it is due, and once', async () => {
    const page = await openAndJump();
    await page.advanceUntilLeft(4 * MINUTE + 1_000);
    expect(page.reminders).toEqual([]);
    for (const [at, minutes] of REMIND_MINUTES.entries()) {
      await page.advanceUntilLeft(minutes * MINUTE - REMINDER_DELAY_MS);
      expect(page.reminders).toHaveLength(at + 1);
      const shown = page.reminders.at(-1);
      const trueLeftS = (page.stopsAtMs - (shown?.atMs ?? 0)) / 1000;
      expect(Math.abs((shown?.remainingS ?? 0) - trueLeftS)).toBeLessThanOrEqual(1);
    }
  });

  it('documents are saved two minutes before the stop', async () => {
    const page = await openAndJump();
    await page.advanceUntilLeft(2 * MINUTE + 1_000);
    expect(page.saves).toEqual([]);
    await page.advanceUntilLeft(2 * MINUTE - 5_000);
    expect(page.saves).toHaveLength(1);
  });

  it('the time left is marked until it is right again', async () => {
    const page = await openAndJump();
    if (cell.page === 'waking') {
      expect(page.statusText).toMatch(/^± 6 min/);
      expect(page.panelText[1]).toBe(true);
    }
    await page.advanceUntilLeft(6 * MINUTE - 10_000);
    expect(page.statusText).toMatch(/^5 min 50 s/);
    if (page.panel) {
      expect(page.panelText).toEqual(['5 min 50 s', false]);
    }
  });
});

describe('after a sleep', () => {
  it.each([true, false])(
    'the time left is right within seconds (wake-up event: %s)',
    async (hasEvent) => {
      const page = await new Page().open();
      page.sleep(4 * MINUTE);
      if (hasEvent) {
        page.harness.wakeUp();
      }
      await page.wait(10_000);
      expect(page.statusText).toMatch(/^2 min (49|50) s/);
      expect(page.reminders).toHaveLength(1);
    },
  );

  it('with an extension, no reminder is shown and nothing is saved', async () => {
    const page = await new Page().open();
    page.addDirtyDocument();
    page.stopsAtMs += 10 * MINUTE;
    page.sleep(6 * MINUTE);
    page.harness.wakeUp();
    await page.wait(10_000);
    expect([page.reminders, page.saves]).toEqual([[], []]);
    await page.advanceUntilLeft(2 * MINUTE - REMINDER_DELAY_MS);
    expect([page.reminders.length, page.saves.length]).toEqual([1, 1]);
  });

  it('the response to an earlier request does not set the clock', async () => {
    const page = await new Page().open();
    void page.harness.manager.refresh();
    await flushPromises();
    page.isServerReachable = false;
    page.sleep(4 * MINUTE);
    await page.harness.advance(RESPONSE_DELAY_MS);
    expect(page.harness.manager.clock.isSynced).toBe(false);
    page.isServerReachable = true;
    await page.wait(5_000);
    expect(page.harness.manager.clock.isSynced).toBe(true);
  });
});

describe('while the server does not respond', () => {
  it('a clock that is set back delays no reminder', async () => {
    const page = await new Page().open();
    await page.advanceUntilLeft(6 * MINUTE);
    page.isServerReachable = false;
    await page.setLocalClock(-5 * MINUTE, 'waking');
    await page.advanceUntilLeft(4 * MINUTE - REMINDER_DELAY_MS);
    expect(page.reminders).toHaveLength(1);
    expect(page.statusText).toMatch(/^± 3 min 55 s/);
  });

  it('a clock that is set forward causes no reminder', async () => {
    const page = await new Page().open();
    await page.advanceUntilLeft(6 * MINUTE);
    page.isServerReachable = false;
    await page.setLocalClock(3 * MINUTE, 'waking');
    await page.advanceUntilLeft(5 * MINUTE);
    expect(page.reminders).toEqual([]);
    page.isServerReachable = true;
    await page.advanceUntilLeft(4 * MINUTE - REMINDER_DELAY_MS);
    expect(page.reminders).toHaveLength(1);
  });
});

describe('if the stop time moves later', () => {
  it('reminders and saving are repeated, also for a stop time that was set before', async () => {
    const page = await new Page().open();
    const firstStopMs = page.stopsAtMs;
    page.addDirtyDocument();
    await page.advanceUntilLeft(50_000);
    expect([page.reminders.length, page.saves.length]).toEqual([2, 1]);
    for (const stopsAtMs of [firstStopMs + HOUR, firstStopMs]) {
      page.stopsAtMs = stopsAtMs;
      page.addDirtyDocument();
      void page.harness.manager.refresh();
      await page.wait(5_000);
    }
    expect([page.reminders.length, page.saves.length]).toEqual([3, 2]);
  });
});

describe('if the server corrects its time', () => {
  it('reminders and saving are repeated when they are due', async () => {
    const page = await new Page().open();
    page.serverAheadMs = 6 * MINUTE;
    page.addDirtyDocument();
    void page.harness.manager.refresh();
    await page.wait(5_000);
    expect([page.reminders.length, page.saves.length]).toEqual([1, 1]);
    page.addDirtyDocument();
    page.serverAheadMs = 0;
    void page.harness.manager.refresh();
    await page.advanceUntilLeft(MINUTE - REMINDER_DELAY_MS);
    expect([page.reminders.length, page.saves.length]).toEqual([3, 2]);
  });
});
