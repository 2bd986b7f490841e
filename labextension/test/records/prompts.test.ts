import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { expect, it } from 'vitest';
import { PromptReports } from '../../src/records/prompts';
import { HOUR } from '../countdown/fakes';
import { changeResponse, flushPromises, instancePayload, ManagerHarness } from '../fakes';

/** The connection to a kernel. */
class Kernel {
  hasPendingInput = false;
  readonly pendingInput = new Signal<this, boolean>(this);
  readonly status = 'busy';

  constructor(readonly id: string) {}

  ask(isPending: boolean): void {
    this.hasPendingInput = isPending;
    this.pendingInput.emit(isPending);
  }
}

const harness = new ManagerHarness();
harness.backend.respond = () => changeResponse();
const sender = {};
const changed = new Signal<object, unknown>(sender);
const session = { name: 'a', path: 'a.ipynb', kernel: new Kernel('first') };
const statusChanged = new Signal<object, unknown>(sender);
const document = Object.assign(new Widget(), { sessionContext: { statusChanged, session } });
const shell = {
  currentWidget: document as Widget,
  currentChanged: changed as unknown as NonNullable<JupyterFrontEnd.IShell['currentChanged']>,
};

async function reports(): Promise<unknown[]> {
  await flushPromises();
  const bodies = harness.backend.requests.flatMap(({ body }) => body ?? []);
  harness.backend.requests.length = 0;
  return bodies;
}

it('reports each prompt and its end once, also of a kernel that takes the place of another', async () => {
  session.kernel.hasPendingInput = true;
  new PromptReports(shell, harness.manager);
  const first = { action: 'report-input', id: 'first' };
  expect(await reports()).toEqual([{ ...first, waits: true }]);
  changed.emit(null);
  session.kernel.ask(true);
  expect(await reports()).toEqual([]);
  session.kernel.ask(false);
  session.kernel.ask(false);
  expect(await reports()).toEqual([{ ...first, waits: false }]);
  session.kernel = new Kernel('second');
  statusChanged.emit(null);
  session.kernel.ask(true);
  const second = { action: 'report-input', id: 'second', waits: true };
  expect(await reports()).toEqual([second]);
  // The process that watches has been started.
  await harness.refreshWith(instancePayload(HOUR, { keep: { guards: [] } }));
  expect(await reports()).toEqual([second]);
});
