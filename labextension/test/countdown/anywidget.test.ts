import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { COLLECT_MS, WAIT_MS } from '../../src/countdown/actions';
import { HELLO_MS } from '../../src/countdown/kernel-link';
import { EVENTS, type InstanceState } from '../../src/countdown/messages';
import { CountdownWidget } from '../../src/countdown/controller';
import entry from '../../src/countdown/anywidget';
import { CountingTarget, DONE, FakeModel, FakeTimers, HOUR, MINUTE, NOW, running } from './fakes';

interface Shown {
  readonly el: HTMLElement;
  readonly model: FakeModel;
  readonly timers: FakeTimers;
  readonly page: CountingTarget;
  readonly widget: CountdownWidget;
}

const views: CountdownWidget[] = [];

function show(
  state: InstanceState,
  change: (shown: Omit<Shown, 'widget'>) => void = () => undefined,
): Shown {
  const el = document.createElement('div');
  document.body.append(el);
  const shown = {
    el,
    model: new FakeModel(state),
    timers: new FakeTimers(),
    page: new CountingTarget(),
  };
  change(shown);
  return { ...shown, widget: add(shown) };
}

function add({ el, model, timers, page }: Omit<Shown, 'widget'>): CountdownWidget {
  let id = views.length * 100;
  const wakeups = [[page, 'focus'] as const];
  const widget = new CountdownWidget({ model, el }, { timers, wakeups, newId: () => `r${++id}` });
  views.push(widget);
  return widget;
}

const now = (shown: Shown, serverNowMs = shown.timers.now()): void => {
  shown.model.says({ type: 'now', server_now_ms: serverNowMs });
};
const part = (shown: Shown | { el: HTMLElement }, name: string): HTMLElement => {
  const found = shown.el.querySelector<HTMLElement>(`.ma-Countdown-${name}`);
  if (!found) {
    throw new Error(name);
  }
  return found;
};
const words = (shown: Shown | { el: HTMLElement }, name: string): string => {
  const found = part(shown, name);
  return found.closest('[hidden]') ? '' : (found.textContent ?? '');
};
const button = (shown: Shown, does: string): HTMLButtonElement => {
  const found = shown.el.querySelector<HTMLButtonElement>(`[data-do=${does}]`);
  if (!found) {
    throw new Error(does);
  }
  return found;
};
const root = (shown: Shown): Element => part(shown, 'figure').closest('.ma-Countdown') ?? shown.el;
const press = (shown: Shown, does: string): void => {
  button(shown, does).click();
};
const type = (shown: Shown, typed: string): void => {
  (part(shown, 'input') as HTMLInputElement).value = typed;
  press(shown, 'extend');
};
const settled = (): Promise<void> => Promise.resolve().then(() => Promise.resolve());

afterEach(() => {
  views.splice(0).forEach((widget) => {
    widget.dispose();
  });
  document.body.replaceChildren();
});

describe('a running instance', () => {
  it('shows the time left, the stop time, the phase and the part used', () => {
    const shown = show(running(72 * MINUTE + 45_000, { name: 'nb-1', api: 'notebooks' }));
    now(shown);
    expect(words(shown, 'figure')).toBe('1 h 12 min');
    expect(words(shown, 'seconds')).toBe('45 s');
    expect(words(shown, 'stop')).toBe('Stops at 18:04');
    expect(part(shown, 'stop').title).toBe(
      '2026-11-23 18:04 +08:00 · auto-stop after 2 h · notebooks',
    );
    expect(words(shown, 'phase')).toBe('running');
    expect(words(shown, 'name')).toBe('nb-1');
    expect(root(shown).getAttribute('data-phase')).toBe('calm');
    expect(part(shown, 'fill').style.width).toBe('45.2%');
    expect(words(shown, 'reason')).toBe('');
  });

  it('ticks without a message', () => {
    const shown = show(running(10 * MINUTE + 2500));
    now(shown);
    const sent = shown.model.sent.length;
    shown.timers.advance(2501);
    expect(words(shown, 'figure')).toBe('9 min 59 s');
    shown.timers.advance(9 * MINUTE + 59_000);
    expect(words(shown, 'figure')).toBe('0 s');
    shown.timers.advance(1000);
    expect(words(shown, 'figure')).toBe('Stopping');
    shown.timers.advance(HOUR);
    expect(words(shown, 'figure')).toBe('Stop time unknown');
    expect(shown.model.sent).toHaveLength(sent);
  });

  it.each([
    [31, 'calm', 'running'],
    [30, 'soon', 'stops soon'],
    [10, 'urgent', 'stops very soon'],
  ])('with %i min left is %s, by word and colour', (minutes, phase, word) => {
    const shown = show(running(minutes * MINUTE));
    expect(root(shown).getAttribute('data-phase')).toBe(phase);
    expect(words(shown, 'phase')).toBe(word);
  });

  it('is right with a local clock that is a day ahead', () => {
    const shown = show(running(HOUR), ({ timers }) => {
      timers.sleep(24 * HOUR);
    });
    expect(words(shown, 'figure')).toBe('Stop time unknown');
    now(shown, NOW);
    expect(words(shown, 'figure')).toBe('1 h');
  });

  it('has the seconds aside until the label itself has them', () => {
    const shown = show(running(10 * MINUTE));
    expect([words(shown, 'figure'), words(shown, 'seconds')]).toEqual(['10 min', '00 s']);
    shown.timers.advance(1000);
    expect([words(shown, 'figure'), words(shown, 'seconds')]).toEqual(['9 min 59 s', '']);
  });

  it('has an empty bar when the clock is before the start', () => {
    const shown = show(running(2 * HOUR, { run_started_at_ms: NOW + HOUR }));
    expect(part(shown, 'fill').style.width).toBe('0.0%');
  });

  it('has no bar without a start', () => {
    expect(part(show(running(HOUR, { run_started_at_ms: null })), 'bar').hidden).toBe(true);
  });

  it('says when it is a demo', () => {
    expect(words(show(running(HOUR, { demo: true })), 'demo')).toBe('DEMO · local emulator');
    const real = show(running(HOUR));
    expect(part(real, 'demo').hidden).toBe(true);
    real.model.set({ state: running(HOUR, { demo: true }) });
    expect(part(real, 'demo').hidden).toBe(false);
  });

  it('is worded in the language that was set, at once', () => {
    const shown = show(running(72 * MINUTE));
    shown.model.set({ language: 'zh-CN' });
    expect(words(shown, 'figure')).toBe('1 小时 12 分');
    expect(words(shown, 'stop')).toBe('将于 18:04 停止');
    expect(root(shown).getAttribute('lang')).toBe('zh-CN');
    expect(button(shown, 'plus').textContent).toBe('+1 小时');
  });
});

describe('an instance with nothing to extend', () => {
  it.each<[string, Partial<InstanceState>, string, string]>([
    [
      'off',
      { enabled: false },
      'Auto-stop is off',
      'Auto-stop is off; there is nothing to extend.',
    ],
    ['idle', { mode: 'IDLE' }, 'Stops when idle', 'There is no fixed stop time.'],
    ['stopped', { status: 'STOPPED' }, 'Stopped', ''],
    ['stopping', { status: 'STOPPING' }, 'Stopping', ''],
    ['unknown', { stops_at_ms: null }, 'Stop time unknown', ''],
  ])('(%s) says so and why the buttons are off', (phase, more, figure, reason) => {
    const shown = show(running(HOUR, more));
    expect(root(shown).getAttribute('data-phase')).toBe(phase);
    expect(words(shown, 'figure')).toBe(figure);
    expect(words(shown, 'reason')).toBe(reason);
    expect(words(shown, 'stop')).toBe('');
    for (const does of ['plus', 'minus', 'extend']) {
      expect(button(shown, does).getAttribute('aria-disabled')).toBe('true');
      expect(button(shown, does).title).toBe(reason || figure);
    }
    press(shown, 'plus');
    expect(words(shown, 'note')).toBe('');
    expect(words(shown, 'status')).toBe(reason || figure);
    shown.timers.advance(COLLECT_MS);
    expect(shown.model.requests).toEqual([]);
  });

  it('says why again when it is pressed again', () => {
    const shown = show(running(HOUR, { enabled: false }));
    const said = [1, 2, 3].map(() => {
      press(shown, 'plus');
      return part(shown, 'status').textContent;
    });
    expect(said[1]).not.toBe(said[0]); // An equal text is not read out.
    expect(said.map((text) => text?.trim())).toEqual(
      Array(3).fill('Auto-stop is off; there is nothing to extend.'),
    );
  });

  it('gives the reason for an unknown stop time', () => {
    const shown = show(running(-HOUR, { unknown_reason: 'past-end' }));
    expect(words(shown, 'reason')).toBe('The stop time has passed, but it still runs.');
  });

  it('may be one whose credentials do not suffice', () => {
    const shown = show(running(HOUR, { can_change: false, reason: 'no-permission' }));
    expect(words(shown, 'figure')).toBe('1 h');
    expect(words(shown, 'reason')).toBe('These credentials may not change auto-stop.');
    expect(words(show(running(HOUR, { can_change: false })), 'reason')).toBe(
      'This cannot be changed while it runs.',
    );
  });

  it('does not tick', () => {
    const shown = show(running(HOUR, { mode: 'IDLE' }));
    shown.timers.advance(HELLO_MS);
    expect(shown.timers.pending).toBe(0);
    expect(part(shown, 'unchecked').hidden).toBe(true);
    expect(part(shown, 'bar').hidden).toBe(true);
  });
});

describe('for a screen reader', () => {
  it('the timer is not live, and the buttons have names', () => {
    const shown = show(running(HOUR));
    expect(part(shown, 'timer').getAttribute('role')).toBe('timer');
    expect(part(shown, 'timer').getAttribute('aria-live')).toBe('off');
    expect(button(shown, 'plus').getAttribute('aria-label')).toBe('+1 h: Stop 1 hour later');
    expect(button(shown, 'minus').getAttribute('aria-label')).toBe('−1 h: Stop 1 hour sooner');
    expect(part(shown, 'input').getAttribute('aria-label')).toBe('Extend by');
    expect(button(shown, 'extend').getAttribute('aria-label')).toBe('Extend');
    expect(part(shown, 'status').getAttribute('role')).toBe('status');
  });

  it('30, 10 and 2 minutes are announced, and nothing else', () => {
    const shown = show(running(HOUR));
    now(shown);
    const said: string[] = [];
    for (let second = 0; second < 3600; second++) {
      shown.timers.advance(1000);
      const text = words(shown, 'status');
      if (text !== (said.at(-1) ?? '')) {
        said.push(text);
      }
    }
    expect(said).toEqual([
      'Stops at 17:52, in 30 min.',
      'Stops at 17:52, in 10 min.',
      'Stops at 17:52, in 2 min.',
    ]);
  });

  it('the outcome of a click is announced once, although its text ticks', () => {
    const shown = show(running(9 * MINUTE));
    now(shown);
    press(shown, 'plus');
    shown.timers.advance(COLLECT_MS);
    shown.model.says({
      ...DONE,
      type: 'result',
      id: shown.model.requests[0]?.id,
      effect: 'next-start',
    });
    const said = words(shown, 'status');
    expect(said).toContain('NOT extended');
    shown.timers.advance(2000);
    expect(words(shown, 'note')).toContain('(8 min 57 s left)');
    expect(words(shown, 'status')).toBe(said);
  });
});

describe('a click', () => {
  let shown: Shown;
  beforeEach(() => {
    shown = show(running(HOUR), ({ model }) => {
      model.set({ terminal_prefix: '/env/bin/python -m modelarts_magics' });
    });
    now(shown);
  });

  it('is shown at once, sent after half a second, and done by the answer', () => {
    press(shown, 'plus');
    expect(words(shown, 'figure')).toBe('2 h');
    shown.timers.advance(COLLECT_MS);
    const [request] = shown.model.requests;
    expect(request).toEqual({
      type: 'request',
      id: request?.id,
      action: 'extend',
      seconds: 3600,
      base_stops_at_ms: NOW + HOUR,
    });
    shown.model.set({ state: running(2 * HOUR), as_of_ms: NOW + 600 });
    shown.model.says({ ...DONE, type: 'result', id: request?.id });
    expect(words(shown, 'note')).toBe('Now stops at 18:52.');
    expect(part(shown, 'note').getAttribute('data-tone')).toBe('good');
  });

  it('storm is one request', () => {
    for (let i = 0; i < 40; i++) {
      press(shown, i % 4 === 0 ? 'minus' : 'plus');
    }
    shown.timers.advance(WAIT_MS);
    expect(shown.model.requests.map(({ seconds }) => seconds)).toEqual([20 * 3600]);
  });

  it('may be a typed duration', () => {
    type(shown, '2h30m');
    shown.timers.advance(COLLECT_MS);
    expect(shown.model.requests[0]).toMatchObject({ action: 'extend', seconds: 9000 });
    expect((part(shown, 'input') as HTMLInputElement).value).toBe('');
  });

  it('with a duration that cannot be read keeps it and says how to write it', () => {
    type(shown, '2');
    expect((part(shown, 'input') as HTMLInputElement).value).toBe('2');
    expect(part(shown, 'input').getAttribute('aria-invalid')).toBe('true');
    expect(words(shown, 'note')).toBe('Write 90m or 2h30m.');
    type(shown, '30m');
    expect(part(shown, 'input').hasAttribute('aria-invalid')).toBe(false);
  });

  it('with Enter in the field, but not while a word is being composed', () => {
    const field = part(shown, 'input') as HTMLInputElement;
    const enter = (options: KeyboardEventInit): boolean =>
      field.dispatchEvent(
        new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...options }),
      );
    field.value = '90m';
    expect(enter({ isComposing: true })).toBe(true);
    expect(field.value).toBe('90m');
    expect(enter({})).toBe(false);
    expect(field.value).toBe('');
  });

  it('with Enter on a button is that button’s own', () => {
    const enter = new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true });
    expect(button(shown, 'plus').dispatchEvent(enter)).toBe(true);
    expect(words(shown, 'note')).toBe('');
  });

  it('that waits for the next start is told with what is saved for it now', () => {
    shown.model.set({ state: running(HOUR, { duration_s: null }) });
    press(shown, 'plus');
    shown.timers.advance(COLLECT_MS);
    const values = { duration_s: 7200, previous_duration_s: 3600 };
    const id = shown.model.requests[0]?.id;
    shown.model.says({ ...DONE, type: 'result', id, effect: 'next-start', values });
    expect(words(shown, 'note')).toContain('Saved for the next start: 2 h (was 1 h).');
    shown.model.set({ state: running(HOUR, { duration_s: 10_800 }) });
    expect(words(shown, 'note')).toContain('Saved for the next start: 3 h (was 1 h).');
  });

  it('beyond a bound goes there; bounds that are reckoned from now move on', () => {
    const bounds = { earliest_stop_ms: NOW, latest_stop_ms: NOW + 90 * MINUTE, from_now: true };
    shown.model.set({ state: running(HOUR, { bounds }) });
    shown.timers.advance(10 * MINUTE);
    press(shown, 'plus');
    expect(words(shown, 'note')).toBe('That is the latest stop possible.');
    shown.timers.advance(COLLECT_MS);
    // The bound is as of the last tick, so up to a second behind.
    expect(shown.model.requests[0]?.seconds).toBeGreaterThanOrEqual(40 * 60 - 1);
    expect(shown.model.requests[0]?.seconds).toBeLessThanOrEqual(40 * 60);
  });

  it.each([true, false])('bounds stand still unless they are reckoned from now (%s)', (fromNow) => {
    const bounds = {
      earliest_stop_ms: NOW + 5 * MINUTE,
      latest_stop_ms: NOW + 90 * MINUTE,
      from_now: fromNow,
    };
    shown.model.set({ state: running(HOUR, { bounds }) });
    shown.timers.advance(10 * MINUTE);
    const asked = (does: string): number => {
      press(shown, does);
      shown.timers.advance(COLLECT_MS);
      const request = shown.model.requests.at(-1);
      shown.model.says({ ...DONE, ok: false, effect: null, type: 'result', id: request?.id });
      return Math.round((request?.seconds ?? 0) / 60);
    };
    expect([asked('plus'), asked('minus')]).toEqual(fromNow ? [40, 45] : [30, 55]);
  });

  it('at a bound can only go the other way, which a typed duration can', () => {
    const bounds = { earliest_stop_ms: NOW, latest_stop_ms: NOW + HOUR, from_now: false };
    for (const [left, off] of [
      [HOUR, 'plus'],
      [0.5 * MINUTE, 'minus'],
    ] as const) {
      const disabled = ['plus', 'minus', 'extend'].filter((does) =>
        button(show(running(left, { bounds })), does).hasAttribute('aria-disabled'),
      );
      expect(disabled).toEqual([off]);
    }
  });

  it('beyond a bound goes no less far because the clock of the page is behind', () => {
    const bounds = { earliest_stop_ms: NOW, latest_stop_ms: NOW + 90 * MINUTE, from_now: true };
    const behind = show(running(HOUR, { bounds }), ({ timers }) => {
      timers.sleep(-HOUR);
    });
    press(behind, 'plus');
    behind.timers.advance(COLLECT_MS);
    expect(behind.model.requests).toMatchObject([{ seconds: 1800 }]);
  });

  it('during a request is shown as soon as that is answered, and sent then', () => {
    press(shown, 'plus');
    shown.timers.advance(COLLECT_MS);
    press(shown, 'plus');
    shown.model.set({ state: running(2 * HOUR), as_of_ms: NOW + 600 });
    shown.model.says({ ...DONE, type: 'result', id: shown.model.requests[0]?.id });
    expect(words(shown, 'figure')).toBe('2 h 59 min');
    shown.timers.advance(COLLECT_MS);
    expect(shown.model.requests).toHaveLength(2);
  });

  it('that waits offers a line for the terminal and can be cancelled', () => {
    press(shown, 'plus');
    shown.timers.advance(COLLECT_MS + WAIT_MS);
    expect(words(shown, 'waiting')).toContain(
      'The kernel is busy; this click waits. To do it now, in a terminal:',
    );
    expect(words(shown, 'command')).toBe('/env/bin/python -m modelarts_magics extend 1h');
    expect(words(shown, 'figure')).toBe('59 min');
    expect(words(shown, 'reason')).toBe('');
    const said = words(shown, 'status');
    expect(said).toContain('The kernel is busy');
    shown.timers.advance(1000);
    expect(words(shown, 'status')).toBe(said);
    press(shown, 'cancel');
    expect(shown.model.sent.at(-1)).toEqual({ type: 'cancel', id: shown.model.requests[0]?.id });
    expect(part(shown, 'waiting').hidden).toBe(true);
    expect(document.activeElement).toBe(button(shown, 'plus'));
  });

  it('that waits offers no line when none is known', () => {
    shown.model.set({ terminal_prefix: '' });
    press(shown, 'minus');
    shown.timers.advance(COLLECT_MS + WAIT_MS);
    expect(words(shown, 'command')).toBe('');
    expect(part(shown, 'waiting').textContent).toContain('The kernel is busy; this click waits.');
    expect(button(shown, 'copy').hidden).toBe(true);
  });

  it('on Copy puts the line on the clipboard', async () => {
    const writeText = vi.fn(() => Promise.resolve());
    vi.stubGlobal('navigator', { language: 'en', clipboard: { writeText } });
    press(shown, 'plus');
    shown.timers.advance(COLLECT_MS + WAIT_MS);
    press(shown, 'copy');
    press(shown, 'copy');
    await settled();
    expect(writeText).toHaveBeenCalledWith('/env/bin/python -m modelarts_magics extend 1h');
    expect(button(shown, 'copy').textContent).toBe('✓ Copy');
  });

  it('on Copy without a right to the clipboard selects the line', async () => {
    vi.stubGlobal('navigator', { language: 'en' });
    press(shown, 'plus');
    shown.timers.advance(COLLECT_MS + WAIT_MS);
    press(shown, 'copy');
    await settled();
    expect(String(getSelection())).toBe('/env/bin/python -m modelarts_magics extend 1h');
  });
});

it('a duration beyond any calendar is not understood, and the countdown goes on', () => {
  const shown = show(running(HOUR));
  now(shown);
  type(shown, '9999999999999h');
  expect(words(shown, 'note')).toBe('Write 90m or 2h30m.');
  shown.timers.advance(COLLECT_MS + MINUTE);
  expect(words(shown, 'figure')).toBe('58 min');
  expect(shown.model.requests).toEqual([]);
});

describe("the page's extension", () => {
  it('answers a click when it takes it, and the kernel is not asked', () => {
    const shown = show(running(HOUR));
    const details: { id: string; respond: (answer: object) => void }[] = [];
    const take = (event: Event): void => {
      event.preventDefault();
      details.push((event as CustomEvent<(typeof details)[0]>).detail);
    };
    document.addEventListener(EVENTS.request, take);
    press(shown, 'plus');
    shown.timers.advance(COLLECT_MS);
    document.removeEventListener(EVENTS.request, take);
    expect(details[0]).toMatchObject({
      action: 'extend',
      seconds: 3600,
      base_stops_at_ms: NOW + HOUR,
    });
    expect(shown.model.requests).toEqual([]);
    details[0]?.respond({
      ...DONE,
      state: running(2 * HOUR),
      as_of_ms: NOW + 1,
      server_now_ms: NOW,
    });
    expect(words(shown, 'note')).toBe('Now stops at 18:52.');
    expect(words(shown, 'figure')).toBe('2 h');
  });

  it('is told when a click it took is cancelled', () => {
    const shown = show(running(HOUR), ({ model }) => {
      model.set({ terminal_prefix: 'python -m modelarts_magics' });
    });
    const cancelled = vi.fn();
    const take = (event: Event): void => {
      event.preventDefault();
    };
    document.addEventListener(EVENTS.request, take);
    document.addEventListener(EVENTS.cancel, cancelled);
    press(shown, 'plus');
    shown.timers.advance(COLLECT_MS + WAIT_MS);
    expect(part(shown, 'waiting').textContent).toContain('No answer yet; this click waits.');
    expect(words(shown, 'command')).toBe('');
    press(shown, 'cancel');
    document.removeEventListener(EVENTS.request, take);
    document.removeEventListener(EVENTS.cancel, cancelled);
    expect(cancelled).toHaveBeenCalledOnce();
    expect(shown.model.sent.filter(({ type: sent }) => sent === 'cancel')).toEqual([]);
  });

  it('pushes a newer state, and an older one is not taken', () => {
    const shown = show(running(HOUR));
    const push = (state: InstanceState, asOf: number): void => {
      const detail = { state, as_of_ms: asOf, server_now_ms: NOW };
      root(shown).dispatchEvent(new CustomEvent(EVENTS.state, { detail }));
    };
    push(running(3 * HOUR), NOW + 1000);
    expect(words(shown, 'figure')).toBe('3 h');
    push(running(HOUR), NOW);
    expect(words(shown, 'figure')).toBe('3 h');
    shown.model.set({ state: running(HOUR), as_of_ms: NOW + 500 });
    expect(words(shown, 'figure')).toBe('3 h');
    shown.model.set({ state: running(4 * HOUR), as_of_ms: NOW + 2000 });
    expect(words(shown, 'figure')).toBe('4 h');
    root(shown).dispatchEvent(new CustomEvent(EVENTS.state, { detail: null }));
    expect(words(shown, 'figure')).toBe('4 h');
  });

  it('tells the time with it, where the kernel is too busy to', () => {
    const shown = show(running(HOUR), ({ timers }) => {
      timers.sleep(24 * HOUR);
    });
    shown.timers.advance(HELLO_MS);
    const detail = { state: running(HOUR), as_of_ms: NOW + 1, server_now_ms: NOW };
    root(shown).dispatchEvent(new CustomEvent(EVENTS.state, { detail }));
    expect(words(shown, 'figure')).toBe('1 h');
    expect(part(shown, 'unchecked').hidden).toBe(true);
  });

  it('serves a view also after its kernel went', async () => {
    const shown = show(running(HOUR));
    await settled();
    const detail = { state: running(HOUR), as_of_ms: NOW + 1, server_now_ms: NOW };
    root(shown).dispatchEvent(new CustomEvent(EVENTS.state, { detail }));
    for (const live of [true, false]) {
      shown.model.commLive = live;
      shown.model.emit('comm_live_update');
      await settled();
      expect(words(shown, 'phase')).toBe('running');
    }
  });

  it('brings a view without a kernel to life', async () => {
    const shown = show(running(HOUR), ({ model }) => {
      model.commLive = false;
    });
    await settled();
    const detail = { state: running(3 * HOUR), as_of_ms: NOW + 1, server_now_ms: NOW };
    root(shown).dispatchEvent(new CustomEvent(EVENTS.state, { detail }));
    expect(words(shown, 'phase')).toBe('running');
    expect(button(shown, 'plus').hasAttribute('aria-disabled')).toBe(false);
  });
});

describe('the kernel', () => {
  it('is asked for its time once, and an hour later when the page wakes up', () => {
    const shown = show(running(30 * HOUR));
    expect(shown.model.sent).toEqual([{ type: 'hello' }]);
    now(shown);
    shown.page.dispatchEvent(new Event('focus'));
    expect(shown.model.sent).toHaveLength(1);
    shown.timers.advance(2 * HOUR);
    expect(shown.model.sent).toHaveLength(1);
    shown.page.dispatchEvent(new Event('focus'));
    shown.page.dispatchEvent(new Event('focus'));
    expect(shown.model.sent).toHaveLength(2);
  });

  it('that is busy leaves the countdown running, marked as unchecked', () => {
    const shown = show(running(HOUR));
    expect(part(shown, 'unchecked').hidden).toBe(true);
    shown.timers.advance(HELLO_MS);
    expect(part(shown, 'unchecked').hidden).toBe(false);
    expect(part(shown, 'unchecked').title).toBe('Not checked against the server’s clock.');
    shown.timers.advance(MINUTE);
    expect(words(shown, 'figure')).toBe('58 min');
    expect(button(shown, 'plus').hasAttribute('aria-disabled')).toBe(false);
    now(shown);
    expect(part(shown, 'unchecked').hidden).toBe(true);
  });

  it('is asked again after a sleep; the time is right at once, and marked until it answers', () => {
    const shown = show(running(5 * HOUR));
    now(shown);
    shown.timers.sleep(4 * HOUR);
    shown.page.dispatchEvent(new Event('focus'));
    expect(words(shown, 'figure')).toBe('1 h');
    expect(shown.model.sent).toHaveLength(2);
    shown.timers.advance(HELLO_MS);
    expect(part(shown, 'unchecked').hidden).toBe(false);
    now(shown);
    expect(part(shown, 'unchecked').hidden).toBe(true);
  });

  it('that is not there leaves what was known, dated, with the buttons off', async () => {
    const shown = show(running(72 * MINUTE), ({ model, timers }) => {
      model.commLive = false;
      timers.sleep(16 * HOUR);
    });
    await settled();
    expect(words(shown, 'phase')).toBe('not connected');
    expect(words(shown, 'figure')).toBe('1 h 12 min');
    expect(words(shown, 'seconds')).toBe('');
    expect(words(shown, 'stop')).toBe(
      'Stops at 2026-11-23 18:04 +08:00 · as of 2026-11-23 16:52 +08:00',
    );
    expect(words(shown, 'reason')).toBe('No kernel is connected. Run the cell again.');
    expect(part(shown, 'bar').hidden).toBe(true);
    expect(root(shown).getAttribute('data-phase')).toBe('frozen');
    expect(button(shown, 'plus').getAttribute('aria-disabled')).toBe('true');
    shown.timers.advance(HOUR);
    expect(words(shown, 'figure')).toBe('1 h 12 min');
    expect(part(shown, 'unchecked').hidden).toBe(true);
    expect(shown.timers.pending).toBe(0);
  });

  it('that is not there is why nothing can be done, whatever else is not known', async () => {
    const shown = show(running(-HOUR, { unknown_reason: 'past-end' }), ({ model }) => {
      model.commLive = false;
    });
    await settled();
    expect(words(shown, 'reason')).toBe('No kernel is connected. Run the cell again.');
  });

  it('that is not there is dated also where there was no stop time', async () => {
    const shown = show(running(HOUR, { enabled: false }), ({ model }) => {
      model.commLive = false;
    });
    await settled();
    expect(words(shown, 'stop')).toBe('as of 2026-11-23 16:52 +08:00');
  });

  it('that goes away is noticed by a send that throws', () => {
    const shown = show(running(HOUR));
    now(shown);
    shown.model.closed = true;
    press(shown, 'plus');
    shown.timers.advance(COLLECT_MS);
    expect(words(shown, 'phase')).toBe('not connected');
    expect(words(shown, 'figure')).toBe('1 h');
  });

  it('that restarts is noticed by the manager, and one that comes back too', async () => {
    const shown = show(running(HOUR));
    now(shown);
    shown.model.commLive = false;
    shown.model.emit('comm_live_update');
    await settled();
    expect(words(shown, 'phase')).toBe('not connected');
    shown.model.commLive = true;
    shown.model.emit('comm_live_update');
    await settled();
    expect(words(shown, 'phase')).toBe('running');
  });

  it('that speaks is there, whatever the manager said', async () => {
    const shown = show(running(HOUR), ({ model }) => {
      model.commLive = false;
    });
    await settled();
    expect(words(shown, 'phase')).toBe('not connected');
    now(shown);
    expect(words(shown, 'phase')).toBe('running');
  });

  it('cannot be missed where the manager cannot be asked', async () => {
    const shown = show(running(HOUR), ({ model }) => {
      model.set({ own_id: '' });
      model.commLive = false;
    });
    await settled();
    expect(words(shown, 'phase')).toBe('running');
  });
});

describe('several views', () => {
  it('stay in step, and only the one that was clicked hears the answer', () => {
    const first = show(running(HOUR));
    const el = document.createElement('div');
    document.body.append(el);
    add({ ...first, el });
    now(first);
    press(first, 'plus');
    first.timers.advance(COLLECT_MS);
    first.model.set({ state: running(2 * HOUR), as_of_ms: NOW + 600 });
    first.model.says({ ...DONE, type: 'result', id: first.model.requests[0]?.id });
    expect(words(first, 'figure')).toBe(words({ el }, 'figure'));
    expect(words(first, 'note')).not.toBe('');
    expect(words({ el }, 'note')).toBe('');
  });
});

describe('the end of a view', () => {
  it('leaves no listener, timer or element behind, and may come twice', () => {
    const onWindow = vi.spyOn(window, 'addEventListener');
    const onDocument = vi.spyOn(document, 'addEventListener');
    const shown = show(running(HOUR));
    const added = root(shown);
    const removed = vi.spyOn(added, 'removeEventListener');
    now(shown);
    press(shown, 'plus');
    shown.timers.advance(COLLECT_MS);
    expect(shown.model.listeners).toBeGreaterThan(0);
    expect(shown.page.listeners).toBe(1);
    shown.widget.dispose();
    shown.widget.dispose();
    expect(shown.model.listeners).toBe(0);
    expect(shown.page.listeners).toBe(0);
    expect(shown.timers.pending).toBe(0);
    expect(shown.el.childElementCount).toBe(0);
    expect(new Set(removed.mock.calls.map(([name]) => name))).toEqual(
      new Set(['click', 'keydown', EVENTS.state]),
    );
    expect(onWindow).not.toHaveBeenCalled();
    expect(onDocument).not.toHaveBeenCalled();
  });

  it('sends a click that was on its way', () => {
    const shown = show(running(HOUR));
    press(shown, 'plus');
    shown.widget.dispose();
    expect(shown.model.requests).toHaveLength(1);
    expect(shown.timers.pending).toBe(0);
  });

  it('sends nothing any more when an answer comes later', () => {
    const shown = show(running(HOUR));
    let respond: (answer: object) => void = () => undefined;
    const take = (event: Event): void => {
      event.preventDefault();
      ({ respond } = (event as CustomEvent<{ respond: typeof respond }>).detail);
    };
    document.addEventListener(EVENTS.request, take);
    press(shown, 'plus');
    shown.timers.advance(COLLECT_MS);
    document.removeEventListener(EVENTS.request, take);
    press(shown, 'plus');
    shown.widget.dispose();
    respond({ ...DONE, state: running(2 * HOUR), as_of_ms: NOW + 1 });
    expect(shown.timers.pending).toBe(0);
    expect(shown.model.requests).toEqual([]);
  });

  it('ignores what comes later', async () => {
    const shown = show(running(HOUR), ({ model }) => {
      model.commLive = false;
    });
    shown.widget.dispose();
    await settled();
    expect(shown.timers.pending).toBe(0);
  });
});

describe('the entry', () => {
  it('is a default export with render alone, and answers the clean-up', () => {
    const el = document.createElement('div');
    const model = new FakeModel(running(HOUR));
    const cleanUp = entry.render({ model, el });
    expect(el.querySelector('.ma-Countdown')).not.toBeNull();
    cleanUp();
    expect(el.childElementCount).toBe(0);
    expect(model.listeners).toBe(0);
  });

  it('shows something before the first state', () => {
    const el = document.createElement('div');
    const model = new FakeModel(running(HOUR));
    model.set({ state: {}, as_of_ms: 0 });
    entry.render({ model, el })();
    expect(el.childElementCount).toBe(0);
  });
});
