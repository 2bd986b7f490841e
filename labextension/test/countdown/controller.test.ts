import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { CLICK_COLLECTION_MS, SLOW_REQUEST_MS } from '../../src/countdown/actions';
import entry from '../../src/countdown/anywidget';
import type { CountdownController } from '../../src/countdown/controller';
import { HELLO_TIMEOUT_MS, REMOVAL_DELAY_MS } from '../../src/countdown/kernel-link';
import { asObject, type InstanceState, PAGE_EVENTS } from '../../src/countdown/messages';
import { renderWidget } from '../../src/countdown/widget';
import {
  FakeModel,
  FakeTimers,
  HOUR,
  ListenerCountingTarget,
  MINUTE,
  NOW,
  runningState,
  SUCCESS,
} from './fakes';

interface RenderedCountdown {
  readonly el: HTMLElement;
  readonly model: FakeModel;
  readonly timers: FakeTimers;
  readonly page: ListenerCountingTarget;
  readonly widget: CountdownController;
}

const controllers: CountdownController[] = [];

function renderCountdown(
  state: InstanceState,
  change: (shown: Omit<RenderedCountdown, 'widget'>) => void = () => undefined,
): RenderedCountdown {
  const el = document.createElement('div');
  document.body.append(el);
  const shown = {
    el,
    model: new FakeModel(state),
    timers: new FakeTimers(),
    page: new ListenerCountingTarget(),
  };
  change(shown);
  return { ...shown, widget: addController(shown) };
}

function addController({
  el,
  model,
  timers,
  page,
}: Omit<RenderedCountdown, 'widget'>): CountdownController {
  let id = controllers.length * 100;
  const wakeups = [[page, 'focus'] as const];
  const widget = renderWidget({ model, el }, { timers, wakeups, newId: () => `r${++id}` });
  controllers.push(widget);
  return widget;
}

const sendServerTime = (shown: RenderedCountdown, serverNowMs = shown.timers.now()): void => {
  shown.model.receiveMessage({ type: 'now', server_now_ms: serverNowMs });
};
const sendTerminalPrefix = ({ model, timers }: RenderedCountdown, prefix: string): void => {
  model.receiveMessage({
    type: 'now',
    server_now_ms: timers.now(),
    terminal_prefix: prefix,
  });
};
const findPart = (shown: RenderedCountdown | { el: HTMLElement }, name: string): HTMLElement => {
  const found = shown.el.querySelector<HTMLElement>(`.ma-Countdown-${name}`);
  if (!found) {
    throw new Error(name);
  }
  return found;
};
const visibleText = (shown: RenderedCountdown | { el: HTMLElement }, name: string): string => {
  const found = findPart(shown, name);
  return found.closest('[hidden]') ? '' : (found.textContent ?? '');
};
const findButton = (shown: RenderedCountdown, action: string): HTMLButtonElement => {
  const found = shown.el.querySelector<HTMLButtonElement>(`[data-action=${action}]`);
  if (!found) {
    throw new Error(action);
  }
  return found;
};
const rootOf = (shown: RenderedCountdown): Element =>
  findPart(shown, 'timeLeft').closest('.ma-Countdown') ?? shown.el;
const click = (shown: RenderedCountdown, action: string): void => {
  findButton(shown, action).click();
};
const enterDuration = (shown: RenderedCountdown, typed: string): void => {
  (findPart(shown, 'input') as HTMLInputElement).value = typed;
  click(shown, 'extend-custom');
};
const flushPromises = (): Promise<void> => Promise.resolve().then(() => Promise.resolve());

afterEach(() => {
  controllers.splice(0).forEach((widget) => {
    widget.dispose();
  });
  document.body.replaceChildren();
});

describe('a running instance', () => {
  it('shows time left, stop time, phase and bar', () => {
    const shown = renderCountdown(
      runningState(72 * MINUTE + 45_000, { name: 'nb-1', api: 'notebooks' }),
    );
    sendServerTime(shown);
    expect(visibleText(shown, 'timeLeft')).toBe('1 h 12 min');
    expect(visibleText(shown, 'seconds')).toBe('45 s');
    expect(visibleText(shown, 'stopTime')).toBe('Stops at 18:04');
    expect(findPart(shown, 'stopTime').title).toBe(
      '2026-11-23 18:04 +08:00 · auto-stop after 2 h · notebooks',
    );
    expect(visibleText(shown, 'phase')).toBe('running');
    expect(visibleText(shown, 'name')).toBe('nb-1');
    expect(rootOf(shown).getAttribute('data-phase')).toBe('calm');
    expect(findPart(shown, 'barFill').style.width).toBe('45.2%');
    expect(visibleText(shown, 'reason')).toBe('');
  });

  it('counts down without messages', () => {
    const shown = renderCountdown(runningState(10 * MINUTE + 2500));
    sendServerTime(shown);
    const sent = shown.model.sent.length;
    shown.timers.advance(2501);
    expect(visibleText(shown, 'timeLeft')).toBe('9 min 59 s');
    shown.timers.advance(9 * MINUTE + 59_000);
    expect(visibleText(shown, 'timeLeft')).toBe('0 s');
    shown.timers.advance(1000);
    expect(visibleText(shown, 'timeLeft')).toBe('Stopping');
    shown.timers.advance(HOUR);
    expect(visibleText(shown, 'timeLeft')).toBe('Stop time unknown');
    expect(shown.model.sent).toHaveLength(sent);
  });

  it.each([
    [31, 'calm', 'running'],
    [30, 'soon', 'stops soon'],
    [10, 'urgent', 'about to stop'],
  ])('with %i min left is %s in text and colour', (minutes, phase, word) => {
    const shown = renderCountdown(runningState(minutes * MINUTE));
    expect(rootOf(shown).getAttribute('data-phase')).toBe(phase);
    expect(visibleText(shown, 'phase')).toBe(word);
  });

  it('is right if the local clock is a day ahead', () => {
    const shown = renderCountdown(runningState(HOUR), ({ timers }) => {
      timers.sleep(24 * HOUR);
    });
    expect(visibleText(shown, 'timeLeft')).toBe('Stop time unknown');
    sendServerTime(shown, NOW);
    expect(visibleText(shown, 'timeLeft')).toBe('1 h');
  });

  it('shows seconds separately until ten minutes are left', () => {
    const shown = renderCountdown(runningState(10 * MINUTE));
    expect([visibleText(shown, 'timeLeft'), visibleText(shown, 'seconds')]).toEqual([
      '10 min',
      '00 s',
    ]);
    shown.timers.advance(1000);
    expect([visibleText(shown, 'timeLeft'), visibleText(shown, 'seconds')]).toEqual([
      '9 min 59 s',
      '',
    ]);
  });

  it('has an empty bar before the start', () => {
    const shown = renderCountdown(runningState(2 * HOUR, { run_started_at_ms: NOW + HOUR }));
    expect(findPart(shown, 'barFill').style.width).toBe('0.0%');
  });

  it('has no bar if the start is unknown', () => {
    expect(
      findPart(renderCountdown(runningState(HOUR, { run_started_at_ms: null })), 'bar').hidden,
    ).toBe(true);
  });

  it('is marked as a demo', () => {
    expect(visibleText(renderCountdown(runningState(HOUR, { demo: true })), 'demo')).toBe(
      'DEMO · local emulator',
    );
    const real = renderCountdown(runningState(HOUR));
    expect(findPart(real, 'demo').hidden).toBe(true);
    real.model.setTraits({ state: runningState(HOUR, { demo: true }) });
    expect(findPart(real, 'demo').hidden).toBe(false);
  });

  it('changes its language at once', () => {
    const shown = renderCountdown(runningState(72 * MINUTE));
    shown.model.setTraits({ language: 'zh-CN' });
    expect(visibleText(shown, 'timeLeft')).toBe('1 小时 12 分钟');
    expect(visibleText(shown, 'stopTime')).toBe('将于 18:04 停止');
    expect(rootOf(shown).getAttribute('lang')).toBe('zh-CN');
    expect(findButton(shown, 'extend').textContent).toBe('+1 小时');
  });
});

describe('an instance without a stop time', () => {
  it.each<[string, Partial<InstanceState>, string, string]>([
    [
      'off',
      { enabled: false },
      'Auto-stop is off',
      'The instance runs, and is billed, until you stop it.',
    ],
    ['idle', { mode: 'IDLE' }, 'Stops when idle', 'There is no fixed stop time.'],
    ['stopped', { status: 'STOPPED' }, 'Stopped', ''],
    ['stopping', { status: 'STOPPING' }, 'Stopping', ''],
    ['unknown', { stops_at_ms: null }, 'Stop time unknown', ''],
  ])('(%s) shows the reason on the buttons', (phase, more, figure, reason) => {
    const shown = renderCountdown(runningState(HOUR, more));
    expect(rootOf(shown).getAttribute('data-phase')).toBe(phase);
    expect(visibleText(shown, 'timeLeft')).toBe(figure);
    expect(visibleText(shown, 'reason')).toBe(reason);
    expect(visibleText(shown, 'stopTime')).toBe('');
    for (const does of ['extend', 'shorten', 'extend-custom']) {
      expect(findButton(shown, does).getAttribute('aria-disabled')).toBe('true');
      expect(findButton(shown, does).title).toBe(reason || figure);
    }
    click(shown, 'extend');
    expect(visibleText(shown, 'feedback')).toBe('');
    expect(visibleText(shown, 'liveRegion')).toBe(reason || figure);
    shown.timers.advance(CLICK_COLLECTION_MS);
    expect(shown.model.requests).toEqual([]);
  });

  it('announces the reason again on each click', () => {
    const shown = renderCountdown(runningState(HOUR, { enabled: false }));
    const said = [1, 2, 3].map(() => {
      click(shown, 'extend');
      return findPart(shown, 'liveRegion').textContent;
    });
    // An equal text is not read out.
    expect(said[1]).not.toBe(said[0]);
    expect(said.map((text) => text?.trim())).toEqual(
      Array(3).fill('The instance runs, and is billed, until you stop it.'),
    );
  });

  it('shows why the stop time is unknown', () => {
    const shown = renderCountdown(runningState(-HOUR, { unknown_reason: 'stop-time-passed' }));
    expect(visibleText(shown, 'reason')).toBe(
      'The stop time has passed, but the instance is still running.',
    );
  });

  it('shows missing permissions', () => {
    const shown = renderCountdown(
      runningState(HOUR, { can_change: false, reason: 'no-permission' }),
    );
    expect(visibleText(shown, 'timeLeft')).toBe('1 h');
    expect(visibleText(shown, 'reason')).toBe('Your credentials do not permit changing auto-stop.');
    expect(visibleText(renderCountdown(runningState(HOUR, { can_change: false })), 'reason')).toBe(
      'This cannot be changed while the instance is running.',
    );
  });

  it('does not count down', () => {
    const shown = renderCountdown(runningState(HOUR, { mode: 'IDLE' }));
    shown.timers.advance(HELLO_TIMEOUT_MS);
    expect(shown.timers.pendingCount).toBe(0);
    expect(findPart(shown, 'unsynced').hidden).toBe(true);
    expect(findPart(shown, 'bar').hidden).toBe(true);
  });
});

describe('for screen readers', () => {
  it('the timer is not live and buttons have names', () => {
    const shown = renderCountdown(runningState(HOUR));
    expect(findPart(shown, 'timer').getAttribute('role')).toBe('timer');
    expect(findPart(shown, 'timer').getAttribute('aria-live')).toBe('off');
    for (const [action, name, description] of [
      ['extend', '+1 h', 'Extend by 1 hour'],
      ['shorten', '−1 h', 'Shorten by 1 hour'],
      ['extend-custom', 'Extend', 'Extend'],
    ] as const) {
      expect(findButton(shown, action).textContent).toBe(name);
      expect(findButton(shown, action).title).toBe(description);
    }
    expect(findPart(shown, 'input').getAttribute('aria-label')).toBe('Duration');
    expect(findPart(shown, 'liveRegion').getAttribute('role')).toBe('status');
  });

  it('30, 10 and 2 minutes are announced', () => {
    const shown = renderCountdown(runningState(HOUR));
    sendServerTime(shown);
    const said: string[] = [];
    for (let second = 0; second < 3600; second++) {
      shown.timers.advance(1000);
      const text = visibleText(shown, 'liveRegion');
      if (text !== (said.at(-1) ?? '')) {
        said.push(text);
      }
    }
    expect(said).toEqual([
      'Stops at 17:52, 30 min left.',
      'Stops at 17:52, 10 min left.',
      'Stops at 17:52, 2 min left.',
    ]);
  });

  it('the result of a click is announced once', () => {
    const shown = renderCountdown(runningState(9 * MINUTE));
    sendServerTime(shown);
    click(shown, 'extend');
    shown.timers.advance(CLICK_COLLECTION_MS);
    shown.model.receiveMessage({
      ...SUCCESS,
      type: 'result',
      id: shown.model.requests[0]?.id,
      effect: 'next-start',
    });
    const said = visibleText(shown, 'liveRegion');
    expect(said).toContain('NOT extended');
    shown.timers.advance(2000);
    expect(visibleText(shown, 'feedback')).toContain('(8 min 57 s left)');
    expect(visibleText(shown, 'liveRegion')).toBe(said);
  });
});

describe('a click', () => {
  let shown: RenderedCountdown;
  beforeEach(() => {
    shown = renderCountdown(runningState(HOUR));
    sendTerminalPrefix(shown, '/env/bin/python -m modelarts_magics');
  });

  it('is shown at once and sent after half a second', () => {
    click(shown, 'extend');
    expect(visibleText(shown, 'timeLeft')).toBe('2 h');
    shown.timers.advance(CLICK_COLLECTION_MS);
    const [request] = shown.model.requests;
    expect(request).toEqual({
      type: 'request',
      id: request?.id,
      action: 'extend',
      seconds: 3600,
      base_stops_at_ms: NOW + HOUR,
    });
    shown.model.setTraits({ state: runningState(2 * HOUR), as_of_ms: NOW + 600 });
    shown.model.receiveMessage({ ...SUCCESS, type: 'result', id: request?.id });
    expect(visibleText(shown, 'feedback')).toBe('New stop time: 18:52.');
    expect(findPart(shown, 'feedback').getAttribute('data-tone')).toBe('success');
  });

  it('repeated quickly is one request', () => {
    for (let i = 0; i < 40; i++) {
      click(shown, i % 4 === 0 ? 'shorten' : 'extend');
    }
    shown.timers.advance(SLOW_REQUEST_MS);
    expect(shown.model.requests.map(({ seconds }) => seconds)).toEqual([20 * 3600]);
  });

  it('can use a typed duration', () => {
    enterDuration(shown, '2h30m');
    shown.timers.advance(CLICK_COLLECTION_MS);
    expect(shown.model.requests[0]).toMatchObject({ action: 'extend', seconds: 9000 });
    expect((findPart(shown, 'input') as HTMLInputElement).value).toBe('');
  });

  it('can be given a stop time', () => {
    enterDuration(shown, 'at 19:00');
    shown.timers.advance(CLICK_COLLECTION_MS);
    expect(shown.model.requests[0]).toMatchObject({ action: 'extend', seconds: 3600 + 480 });
  });

  it('beyond a bound is refused and keeps the text', () => {
    const bounds = { earliest_stop_ms: NOW, latest_stop_ms: NOW + 24 * HOUR, from_now: false };
    shown.model.setTraits({ state: runningState(HOUR, { bounds }) });
    enterDuration(shown, '99h');
    shown.timers.advance(CLICK_COLLECTION_MS);
    expect(shown.model.requests).toEqual([]);
    expect((findPart(shown, 'input') as HTMLInputElement).value).toBe('99h');
    expect(visibleText(shown, 'feedback')).toMatch(/^Not sent: the latest possible stop time is /);
    enterDuration(shown, '-5h');
    expect(visibleText(shown, 'feedback')).toMatch(
      /^Not sent: the earliest possible stop time is /,
    );
  });

  it('is previewed with day and zone while it is typed', () => {
    const field = findPart(shown, 'input') as HTMLInputElement;
    const type = (text: string): string => {
      field.value = text;
      field.dispatchEvent(new Event('input', { bubbles: true }));
      return visibleText(shown, 'feedback');
    };
    expect(type('9')).toBe('');
    expect(type('90m')).toBe('Will stop at 2026-11-23 19:22 +08:00.');
    expect(type('tomorrow 09:00')).toBe('Will stop at 2026-11-24 09:00 +08:00.');
    const bounds = { earliest_stop_ms: NOW, latest_stop_ms: NOW + 24 * HOUR, from_now: false };
    shown.model.setTraits({ state: runningState(HOUR, { bounds }) });
    expect(type('99h')).toMatch(/^Not sent: the latest possible stop time is /);
    expect(type('')).toBe('');
    shown.timers.advance(CLICK_COLLECTION_MS);
    expect(shown.model.requests).toEqual([]);
  });

  it('with an invalid duration keeps the text', () => {
    enterDuration(shown, '2');
    expect((findPart(shown, 'input') as HTMLInputElement).value).toBe('2');
    expect(findPart(shown, 'input').getAttribute('aria-invalid')).toBe('true');
    expect(visibleText(shown, 'feedback')).toBe('Examples: 90m, 2h30m, 2:30, at 18:00.');
    enterDuration(shown, '30m');
    expect(findPart(shown, 'input').hasAttribute('aria-invalid')).toBe(false);
  });

  it('is made by Enter, except during composition', () => {
    const field = findPart(shown, 'input') as HTMLInputElement;
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

  it('by Enter on a button is left to the button', () => {
    const enter = new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true });
    expect(findButton(shown, 'extend').dispatchEvent(enter)).toBe(true);
    expect(visibleText(shown, 'feedback')).toBe('');
  });

  it('for the next start shows the saved run time', () => {
    shown.model.setTraits({ state: runningState(HOUR, { duration_s: null }) });
    click(shown, 'extend');
    shown.timers.advance(CLICK_COLLECTION_MS);
    const values = { duration_s: 7200, previous_duration_s: 3600 };
    const id = shown.model.requests[0]?.id;
    shown.model.receiveMessage({ ...SUCCESS, type: 'result', id, effect: 'next-start', values });
    expect(visibleText(shown, 'feedback')).toContain('Saved for the next start: 2 h (was 1 h).');
    shown.model.setTraits({ state: runningState(HOUR, { duration_s: 10_800 }) });
    expect(visibleText(shown, 'feedback')).toContain('Saved for the next start: 3 h (was 1 h).');
  });

  it('beyond a bound is limited', () => {
    const bounds = { earliest_stop_ms: NOW, latest_stop_ms: NOW + 90 * MINUTE, from_now: true };
    shown.model.setTraits({ state: runningState(HOUR, { bounds }) });
    shown.timers.advance(10 * MINUTE);
    click(shown, 'extend');
    expect(visibleText(shown, 'feedback')).toBe('This is the latest possible stop time.');
    shown.timers.advance(CLICK_COLLECTION_MS);
    // The bound was computed at the last tick, up to a second ago.
    expect(shown.model.requests[0]?.seconds).toBeGreaterThanOrEqual(40 * 60 - 1);
    expect(shown.model.requests[0]?.seconds).toBeLessThanOrEqual(40 * 60);
  });

  it.each([true, false])('uses bounds that may move with the clock (%s)', (fromNow) => {
    const bounds = {
      earliest_stop_ms: NOW + 5 * MINUTE,
      latest_stop_ms: NOW + 90 * MINUTE,
      from_now: fromNow,
    };
    shown.model.setTraits({ state: runningState(HOUR, { bounds }) });
    shown.timers.advance(10 * MINUTE);
    const asked = (does: string): number => {
      click(shown, does);
      shown.timers.advance(CLICK_COLLECTION_MS);
      const request = shown.model.requests.at(-1);
      shown.model.receiveMessage({
        ...SUCCESS,
        ok: false,
        effect: null,
        type: 'result',
        id: request?.id,
      });
      return Math.round((request?.seconds ?? 0) / 60);
    };
    expect([asked('extend'), asked('shorten')]).toEqual(fromNow ? [40, 45] : [30, 55]);
  });

  it('at a bound is possible in the other direction', () => {
    const bounds = { earliest_stop_ms: NOW, latest_stop_ms: NOW + HOUR, from_now: false };
    for (const [left, off] of [
      [HOUR, 'extend'],
      [0.5 * MINUTE, 'shorten'],
    ] as const) {
      const disabled = ['extend', 'shorten', 'extend-custom'].filter((does) =>
        findButton(renderCountdown(runningState(left, { bounds })), does).hasAttribute(
          'aria-disabled',
        ),
      );
      expect(disabled).toEqual([off]);
    }
  });

  it('beyond a bound is independent of the local clock', () => {
    const bounds = { earliest_stop_ms: NOW, latest_stop_ms: NOW + 90 * MINUTE, from_now: true };
    const behind = renderCountdown(runningState(HOUR, { bounds }), ({ timers }) => {
      timers.sleep(-HOUR);
    });
    click(behind, 'extend');
    behind.timers.advance(CLICK_COLLECTION_MS);
    expect(behind.model.requests).toMatchObject([{ seconds: 1800 }]);
  });

  it('during a request is sent after its response', () => {
    click(shown, 'extend');
    shown.timers.advance(CLICK_COLLECTION_MS);
    click(shown, 'extend');
    shown.model.setTraits({ state: runningState(2 * HOUR), as_of_ms: NOW + 600 });
    shown.model.receiveMessage({ ...SUCCESS, type: 'result', id: shown.model.requests[0]?.id });
    expect(visibleText(shown, 'timeLeft')).toBe('2 h 59 min');
    shown.timers.advance(CLICK_COLLECTION_MS);
    expect(shown.model.requests).toHaveLength(2);
  });

  it('with a slow request shows a terminal command', () => {
    click(shown, 'extend');
    shown.timers.advance(CLICK_COLLECTION_MS + SLOW_REQUEST_MS);
    expect(visibleText(shown, 'delayedRequest')).toContain(
      'The kernel is busy; the change is queued. To do it now, run in a terminal:',
    );
    expect(visibleText(shown, 'command')).toBe('/env/bin/python -m modelarts_magics extend 1h');
    expect(visibleText(shown, 'timeLeft')).toBe('59 min');
    expect(visibleText(shown, 'reason')).toBe('');
    const said = visibleText(shown, 'liveRegion');
    expect(said).toContain('The kernel is busy');
    shown.timers.advance(1000);
    expect(visibleText(shown, 'liveRegion')).toBe(said);
    click(shown, 'cancel');
    expect(shown.model.sent.at(-1)).toEqual({ type: 'cancel', id: shown.model.requests[0]?.id });
    expect(findPart(shown, 'delayedRequest').hidden).toBe(true);
    expect(document.activeElement).toBe(findButton(shown, 'extend'));
  });

  it('with a slow request has no command before the kernel has sent one', () => {
    shown = renderCountdown(runningState(HOUR));
    sendServerTime(shown);
    click(shown, 'shorten');
    shown.timers.advance(CLICK_COLLECTION_MS + SLOW_REQUEST_MS);
    expect(visibleText(shown, 'command')).toBe('');
    expect(findPart(shown, 'delayedRequest').textContent).toContain(
      'The kernel is busy; the change is queued.',
    );
    expect(findButton(shown, 'copy').hidden).toBe(true);
  });

  it('on Copy copies the command', async () => {
    const writeText = vi.fn(() => Promise.resolve());
    vi.stubGlobal('navigator', { language: 'en', clipboard: { writeText } });
    click(shown, 'extend');
    shown.timers.advance(CLICK_COLLECTION_MS + SLOW_REQUEST_MS);
    click(shown, 'copy');
    click(shown, 'copy');
    await flushPromises();
    expect(writeText).toHaveBeenCalledWith('/env/bin/python -m modelarts_magics extend 1h');
    expect(findButton(shown, 'copy').textContent).toBe('✓ Copy');
  });

  it('on Copy without permission selects the command', async () => {
    vi.stubGlobal('navigator', { language: 'en' });
    click(shown, 'extend');
    shown.timers.advance(CLICK_COLLECTION_MS + SLOW_REQUEST_MS);
    click(shown, 'copy');
    await flushPromises();
    expect(String(getSelection())).toBe('/env/bin/python -m modelarts_magics extend 1h');
  });
});

it('an excessive duration is invalid', () => {
  const shown = renderCountdown(runningState(HOUR));
  sendServerTime(shown);
  enterDuration(shown, '9999999999999h');
  expect(visibleText(shown, 'feedback')).toBe('Examples: 90m, 2h30m, 2:30, at 18:00.');
  shown.timers.advance(CLICK_COLLECTION_MS + MINUTE);
  expect(visibleText(shown, 'timeLeft')).toBe('58 min');
  expect(shown.model.requests).toEqual([]);
});

describe('the extension of the page', () => {
  it('responds to a request instead of the kernel', () => {
    const shown = renderCountdown(runningState(HOUR));
    const details: { id: string; respond: (answer: object) => void }[] = [];
    const take = (event: Event): void => {
      event.preventDefault();
      details.push((event as CustomEvent<(typeof details)[0]>).detail);
    };
    document.addEventListener(PAGE_EVENTS.request, take);
    click(shown, 'extend');
    shown.timers.advance(CLICK_COLLECTION_MS);
    document.removeEventListener(PAGE_EVENTS.request, take);
    expect(details[0]).toMatchObject({
      action: 'extend',
      seconds: 3600,
      base_stops_at_ms: NOW + HOUR,
    });
    expect(shown.model.requests).toEqual([]);
    details[0]?.respond({
      ...SUCCESS,
      state: runningState(2 * HOUR),
      as_of_ms: NOW + 1,
      server_now_ms: NOW,
    });
    expect(visibleText(shown, 'feedback')).toBe('New stop time: 18:52.');
    expect(visibleText(shown, 'timeLeft')).toBe('2 h');
  });

  it('receives the cancellation of its request', () => {
    const shown = renderCountdown(runningState(HOUR));
    sendTerminalPrefix(shown, 'python -m modelarts_magics');
    const cancelled = vi.fn();
    const take = (event: Event): void => {
      event.preventDefault();
    };
    document.addEventListener(PAGE_EVENTS.request, take);
    document.addEventListener(PAGE_EVENTS.cancel, cancelled);
    click(shown, 'extend');
    shown.timers.advance(CLICK_COLLECTION_MS + SLOW_REQUEST_MS);
    expect(findPart(shown, 'delayedRequest').textContent).toContain(
      'No response yet; the change is waiting.',
    );
    expect(visibleText(shown, 'command')).toBe('');
    click(shown, 'cancel');
    document.removeEventListener(PAGE_EVENTS.request, take);
    document.removeEventListener(PAGE_EVENTS.cancel, cancelled);
    expect(cancelled).toHaveBeenCalledOnce();
    expect(shown.model.sent.filter(({ type: sent }) => sent === 'cancel')).toEqual([]);
  });

  it('sends states, of which older ones are ignored', () => {
    const shown = renderCountdown(runningState(HOUR));
    const push = (state: InstanceState, asOf: number): void => {
      const detail = { state, as_of_ms: asOf, server_now_ms: NOW };
      rootOf(shown).dispatchEvent(new CustomEvent(PAGE_EVENTS.state, { detail }));
    };
    push(runningState(3 * HOUR), NOW + 1000);
    expect(visibleText(shown, 'timeLeft')).toBe('3 h');
    push(runningState(HOUR), NOW);
    expect(visibleText(shown, 'timeLeft')).toBe('3 h');
    shown.model.setTraits({ state: runningState(HOUR), as_of_ms: NOW + 500 });
    expect(visibleText(shown, 'timeLeft')).toBe('3 h');
    shown.model.setTraits({ state: runningState(4 * HOUR), as_of_ms: NOW + 2000 });
    expect(visibleText(shown, 'timeLeft')).toBe('4 h');
    rootOf(shown).dispatchEvent(new CustomEvent(PAGE_EVENTS.state, { detail: null }));
    expect(visibleText(shown, 'timeLeft')).toBe('4 h');
  });

  it('sends the time if the kernel is busy', () => {
    const shown = renderCountdown(runningState(HOUR), ({ timers }) => {
      timers.sleep(24 * HOUR);
    });
    shown.timers.advance(HELLO_TIMEOUT_MS);
    const detail = { state: runningState(HOUR), as_of_ms: NOW + 1, server_now_ms: NOW };
    rootOf(shown).dispatchEvent(new CustomEvent(PAGE_EVENTS.state, { detail }));
    expect(visibleText(shown, 'timeLeft')).toBe('1 h');
    expect(findPart(shown, 'unsynced').hidden).toBe(true);
  });

  it('serves a view without its kernel', async () => {
    const shown = renderCountdown(runningState(HOUR));
    await flushPromises();
    const detail = { state: runningState(HOUR), as_of_ms: NOW + 1, server_now_ms: NOW };
    rootOf(shown).dispatchEvent(new CustomEvent(PAGE_EVENTS.state, { detail }));
    for (const live of [true, false]) {
      shown.model.commLive = live;
      shown.model.emit('comm_live_update');
      await flushPromises();
      expect(visibleText(shown, 'phase')).toBe('running');
    }
  });

  it('connects a view without a kernel', async () => {
    const shown = renderCountdown(runningState(HOUR), ({ model }) => {
      model.commLive = false;
    });
    await flushPromises();
    const detail = { state: runningState(3 * HOUR), as_of_ms: NOW + 1, server_now_ms: NOW };
    rootOf(shown).dispatchEvent(new CustomEvent(PAGE_EVENTS.state, { detail }));
    expect(visibleText(shown, 'phase')).toBe('running');
    expect(findButton(shown, 'extend').hasAttribute('aria-disabled')).toBe(false);
  });
});

describe('the kernel', () => {
  it('receives a hello, and another after an hour', () => {
    const shown = renderCountdown(runningState(30 * HOUR));
    expect(shown.model.sent).toEqual([{ type: 'hello', view: expect.any(String) as string }]);
    sendServerTime(shown);
    shown.page.dispatchEvent(new Event('focus'));
    expect(shown.model.sent).toHaveLength(1);
    shown.timers.advance(2 * HOUR);
    expect(shown.model.sent).toHaveLength(1);
    shown.page.dispatchEvent(new Event('focus'));
    shown.page.dispatchEvent(new Event('focus'));
    expect(shown.model.sent).toHaveLength(2);
  });

  it('is told when an output is removed from a notebook that stays open', () => {
    const shown = renderCountdown(runningState(HOUR));
    const notebook = document.createElement('div');
    notebook.className = 'jp-Notebook';
    document.body.append(notebook);
    notebook.append(shown.el);
    sendServerTime(shown);
    const view = asObject(shown.model.sent[0])['view'];
    shown.el.remove();
    shown.widget.dispose();
    shown.widget.dispose();
    shown.timers.advance(REMOVAL_DELAY_MS);
    expect(shown.model.sent.slice(1)).toEqual([{ type: 'bye', view }]);
  });

  it.each(['notebook', 'none'])('is not told when the whole page closes (%s)', (container) => {
    const shown = renderCountdown(runningState(HOUR));
    const notebook = document.createElement('div');
    notebook.className = container === 'notebook' ? 'jp-Notebook' : '';
    document.body.append(notebook);
    notebook.append(shown.el);
    sendServerTime(shown);
    shown.widget.dispose();
    notebook.remove();
    shown.timers.advance(REMOVAL_DELAY_MS);
    expect(shown.model.sent).toHaveLength(1);
  });

  it('that is busy leaves the countdown unsynchronized', () => {
    const shown = renderCountdown(runningState(HOUR));
    expect(findPart(shown, 'unsynced').hidden).toBe(true);
    shown.timers.advance(HELLO_TIMEOUT_MS);
    expect(findPart(shown, 'unsynced').hidden).toBe(false);
    expect(findPart(shown, 'unsynced').title).toBe('Not synchronized with the server clock.');
    shown.timers.advance(MINUTE);
    expect(visibleText(shown, 'timeLeft')).toBe('58 min');
    expect(findButton(shown, 'extend').hasAttribute('aria-disabled')).toBe(false);
    sendServerTime(shown);
    expect(findPart(shown, 'unsynced').hidden).toBe(true);
  });

  it('receives a hello after a sleep', () => {
    const shown = renderCountdown(runningState(5 * HOUR));
    sendServerTime(shown);
    shown.timers.sleep(4 * HOUR);
    shown.page.dispatchEvent(new Event('focus'));
    expect(visibleText(shown, 'timeLeft')).toBe('1 h');
    expect(shown.model.sent).toHaveLength(2);
    shown.timers.advance(HELLO_TIMEOUT_MS);
    expect(findPart(shown, 'unsynced').hidden).toBe(false);
    sendServerTime(shown);
    expect(findPart(shown, 'unsynced').hidden).toBe(true);
  });

  it('that is missing leaves the last known state', async () => {
    const shown = renderCountdown(runningState(72 * MINUTE), ({ model, timers }) => {
      model.commLive = false;
      timers.sleep(16 * HOUR);
    });
    await flushPromises();
    expect(visibleText(shown, 'phase')).toBe('not connected');
    expect(visibleText(shown, 'timeLeft')).toBe('1 h 12 min');
    expect(visibleText(shown, 'seconds')).toBe('');
    expect(visibleText(shown, 'stopTime')).toBe(
      'Stops at 2026-11-23 18:04 +08:00 · as of 2026-11-23 16:52 +08:00',
    );
    expect(visibleText(shown, 'reason')).toBe('No kernel connected. Run the cell again.');
    expect(findPart(shown, 'bar').hidden).toBe(true);
    expect(rootOf(shown).getAttribute('data-phase')).toBe('disconnected');
    expect(findButton(shown, 'extend').getAttribute('aria-disabled')).toBe('true');
    shown.timers.advance(HOUR);
    expect(visibleText(shown, 'timeLeft')).toBe('1 h 12 min');
    expect(findPart(shown, 'unsynced').hidden).toBe(true);
    expect(shown.timers.pendingCount).toBe(0);
  });

  it('that is missing is the reason on the buttons', async () => {
    const shown = renderCountdown(
      runningState(-HOUR, { unknown_reason: 'stop-time-passed' }),
      ({ model }) => {
        model.commLive = false;
      },
    );
    await flushPromises();
    expect(visibleText(shown, 'reason')).toBe('No kernel connected. Run the cell again.');
  });

  it('that is missing leaves the time of the state', async () => {
    const shown = renderCountdown(runningState(HOUR, { enabled: false }), ({ model }) => {
      model.commLive = false;
    });
    await flushPromises();
    expect(visibleText(shown, 'stopTime')).toBe('as of 2026-11-23 16:52 +08:00');
  });

  it('is missing if sending fails', () => {
    const shown = renderCountdown(runningState(HOUR));
    sendServerTime(shown);
    shown.model.isClosed = true;
    click(shown, 'extend');
    shown.timers.advance(CLICK_COLLECTION_MS);
    expect(visibleText(shown, 'phase')).toBe('not connected');
    expect(visibleText(shown, 'timeLeft')).toBe('1 h');
  });

  it('is missing if the widget manager reports it', async () => {
    const shown = renderCountdown(runningState(HOUR));
    sendServerTime(shown);
    shown.model.commLive = false;
    shown.model.emit('comm_live_update');
    await flushPromises();
    expect(visibleText(shown, 'phase')).toBe('not connected');
    shown.model.commLive = true;
    shown.model.emit('comm_live_update');
    await flushPromises();
    expect(visibleText(shown, 'phase')).toBe('running');
  });

  it('is needed by the other controls of a form', async () => {
    const shown = renderCountdown(runningState(HOUR));
    const frame = document.createElement('div');
    frame.className = 'ma-CountdownFrame';
    const parts = ['countdown', 'fallback', 'fields', 'note'].map(() =>
      frame.appendChild(document.createElement('div')),
    );
    parts[0]?.append(rootOf(shown));
    for (const live of [false, true]) {
      shown.model.commLive = live;
      shown.model.emit('comm_live_update');
      await flushPromises();
      expect(parts.map((part) => part.hasAttribute('inert'))).toEqual([false, false, !live, false]);
    }
  });

  it('is connected if it sends a message', async () => {
    const shown = renderCountdown(runningState(HOUR), ({ model }) => {
      model.commLive = false;
    });
    await flushPromises();
    expect(visibleText(shown, 'phase')).toBe('not connected');
    sendServerTime(shown);
    expect(visibleText(shown, 'phase')).toBe('running');
  });

  it('counts as connected without a widget manager', async () => {
    const shown = renderCountdown(runningState(HOUR), ({ model }) => {
      model.setTraits({ widget_id: '' });
      model.commLive = false;
    });
    await flushPromises();
    expect(visibleText(shown, 'phase')).toBe('running');
  });
});

describe('several views', () => {
  it('show the same state, and one shows the result', () => {
    const first = renderCountdown(runningState(HOUR));
    const el = document.createElement('div');
    document.body.append(el);
    addController({ ...first, el });
    sendServerTime(first);
    click(first, 'extend');
    first.timers.advance(CLICK_COLLECTION_MS);
    first.model.setTraits({ state: runningState(2 * HOUR), as_of_ms: NOW + 600 });
    first.model.receiveMessage({ ...SUCCESS, type: 'result', id: first.model.requests[0]?.id });
    expect(visibleText(first, 'timeLeft')).toBe(visibleText({ el }, 'timeLeft'));
    expect(visibleText(first, 'feedback')).not.toBe('');
    expect(visibleText({ el }, 'feedback')).toBe('');
  });
});

describe('disposing', () => {
  it('leaves no listener, timer or element', () => {
    const onWindow = vi.spyOn(window, 'addEventListener');
    const onDocument = vi.spyOn(document, 'addEventListener');
    const offDocument = vi.spyOn(document, 'removeEventListener');
    const shown = renderCountdown(runningState(HOUR));
    const added = rootOf(shown);
    const removed = vi.spyOn(added, 'removeEventListener');
    sendServerTime(shown);
    click(shown, 'extend');
    shown.timers.advance(CLICK_COLLECTION_MS);
    expect(shown.model.listenerCount).toBeGreaterThan(0);
    expect(shown.page.listenerCount).toBe(1);
    shown.widget.dispose();
    shown.widget.dispose();
    expect(shown.model.listenerCount).toBe(0);
    expect(shown.page.listenerCount).toBe(0);
    expect(shown.timers.pendingCount).toBe(0);
    expect(shown.el.childElementCount).toBe(0);
    expect(new Set(removed.mock.calls.map(([name]) => name))).toEqual(
      // The others are of the user, and end with the element.
      new Set([PAGE_EVENTS.state]),
    );
    expect(onWindow).not.toHaveBeenCalled();
    expect(onDocument.mock.calls.map(([name]) => name)).toEqual(['focusin']);
    expect(offDocument.mock.calls).toContainEqual(onDocument.mock.calls[0]);
  });

  it('describes a field of a form by the note below it when it gets the focus', () => {
    const shown = renderCountdown(runningState(HOUR));
    const field = document.createElement('input');
    field.id = 'f';
    const box = document.createElement('div');
    box.className = 'ma-Field';
    box.append(field);
    const note = document.createElement('div');
    document.body.append(box, note);
    field.dispatchEvent(new FocusEvent('focusin', { bubbles: true }));
    expect(note.id).not.toBe('');
    expect(field.getAttribute('aria-describedby')).toBe(note.id);
    box.remove();
    note.remove();
    shown.widget.dispose();
  });

  it('sends a collected click', () => {
    const shown = renderCountdown(runningState(HOUR));
    click(shown, 'extend');
    shown.widget.dispose();
    expect(shown.model.requests).toHaveLength(1);
    expect(shown.timers.pendingCount).toBe(0);
  });

  it('sends nothing after a later response', () => {
    const shown = renderCountdown(runningState(HOUR));
    let respond: (answer: object) => void = () => undefined;
    const take = (event: Event): void => {
      event.preventDefault();
      ({ respond } = (event as CustomEvent<{ respond: typeof respond }>).detail);
    };
    document.addEventListener(PAGE_EVENTS.request, take);
    click(shown, 'extend');
    shown.timers.advance(CLICK_COLLECTION_MS);
    document.removeEventListener(PAGE_EVENTS.request, take);
    click(shown, 'extend');
    shown.widget.dispose();
    respond({ ...SUCCESS, state: runningState(2 * HOUR), as_of_ms: NOW + 1 });
    expect(shown.timers.pendingCount).toBe(0);
    expect(shown.model.requests).toEqual([]);
  });

  it('ignores later messages', async () => {
    const shown = renderCountdown(runningState(HOUR), ({ model }) => {
      model.commLive = false;
    });
    shown.widget.dispose();
    await flushPromises();
    expect(shown.timers.pendingCount).toBe(0);
  });
});

describe('the entry point', () => {
  it('has one export, whose result removes the view', () => {
    const el = document.createElement('div');
    const model = new FakeModel(runningState(HOUR));
    const cleanUp = entry.render({ model, el });
    expect(el.querySelector('.ma-Countdown')).not.toBeNull();
    cleanUp();
    expect(el.childElementCount).toBe(0);
    expect(model.listenerCount).toBe(0);
  });

  it('renders before the first state', () => {
    const el = document.createElement('div');
    const model = new FakeModel(runningState(HOUR));
    model.setTraits({ state: {}, as_of_ms: 0 });
    entry.render({ model, el })();
    expect(el.childElementCount).toBe(0);
  });
});
