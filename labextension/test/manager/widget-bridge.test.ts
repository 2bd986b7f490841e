import { afterEach, describe, expect, it } from 'vitest';
import { asObject } from '../../src/countdown/messages';
import { WidgetBridge } from '../../src/manager/widget-bridge';
import { BackendError } from '../../src/tokens';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { flushPromises, instancePayload, ManagerHarness, trans } from '../fakes';

let harness: ManagerHarness;
let bridge: WidgetBridge;

async function open(payload: unknown = instancePayload()): Promise<void> {
  harness = new ManagerHarness();
  bridge = new WidgetBridge(harness.manager, document, trans);
  await harness.refreshWith(payload);
}

/** Add the element of a countdown widget to the page. */
function addNotebookCountdown(id: unknown = 'i-1') {
  const node = document.createElement('div');
  node.className = 'ma-Countdown';
  node.dataset.instance = String(id);
  document.body.append(node);
  const pushed: unknown[] = [];
  const answers: unknown[] = [];
  node.addEventListener('modelarts-magics:state', (event) =>
    pushed.push((event as CustomEvent).detail),
  );
  const ask = (): boolean => {
    const change = { id: '1', action: 'extend', seconds: 3600 };
    const respond = (answer: unknown) => answers.push(answer);
    const detail = { ...change, base_stops_at_ms: NOW + 72 * MINUTE, respond };
    const options = { bubbles: true, cancelable: true, detail };
    return !node.dispatchEvent(new CustomEvent('modelarts-magics:request', options));
  };
  return { ask, pushed, answers };
}

afterEach(() => {
  document.querySelectorAll('body > .ma-Countdown').forEach((each) => {
    each.remove();
  });
  bridge.dispose();
  harness.manager.dispose();
});

describe('the widget bridge', () => {
  it.each([
    ['accepted', instancePayload(), true],
    ['accepted if the stop time differs slightly', instancePayload(72 * MINUTE + 700), true],
    ['left to the kernel for another stop time', instancePayload(HOUR), false],
    [
      'left to the kernel if the server is read-only',
      instancePayload(72 * MINUTE, { read_only: true }),
      false,
    ],
    [
      'left to the kernel if nothing can be changed',
      instancePayload(72 * MINUTE, {}, { can_change: false }),
      false,
    ],
    [
      'left to the kernel for an unknown instance',
      instancePayload(72 * MINUTE, {}, { id: '' }),
      false,
    ],
  ])('has a request that is %s', async (_, answer, taken) => {
    await open(answer);
    expect(addNotebookCountdown(asObject(asObject(answer).state).id).ask()).toBe(taken);
  });

  it('leaves a request to the kernel without a server', async () => {
    await open();
    harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await harness.refreshWith();
    expect(addNotebookCountdown().ask()).toBe(false);
  });

  it('reports a missing response to the widget', async () => {
    await open();
    harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    const asked = addNotebookCountdown();
    expect(asked.ask()).toBe(true);
    await flushPromises();
    expect(asked.answers).toMatchObject([
      {
        ...{ ok: false, code: 'unreachable', as_of_ms: NOW, server_now_ms: NOW },
        text: 'The Jupyter server is not responding. The current state will be shown once it responds.',
      },
    ]);
  });

  it('sends no read-only state', async () => {
    await open();
    const { pushed } = addNotebookCountdown();
    await harness.refreshWith(instancePayload(HOUR, { seq: 2, read_only: true }));
    expect(pushed).toEqual([]);
    await harness.refreshWith(instancePayload(HOUR, { seq: 3 }));
    expect(pushed).toMatchObject([{ as_of_ms: NOW, server_now_ms: NOW }]);
  });

  it('sends no time if the server sent none', async () => {
    await open(instancePayload(HOUR, { server_now_ms: null }));
    const { pushed } = addNotebookCountdown();
    await harness.refreshWith();
    expect(pushed).toHaveLength(1);
    expect(pushed[0]).not.toHaveProperty('server_now_ms');
  });

  it('updates only countdowns of the same instance', async () => {
    await open();
    const [one, other, unknown] = ['i-1', 'i-2', ''].map(addNotebookCountdown);
    await harness.refreshWith(instancePayload(HOUR, { seq: 2 }));
    expect([one, other, unknown].map((each) => each?.pushed.length)).toEqual([1, 0, 0]);
    expect(other?.ask()).toBe(false);
  });
});
