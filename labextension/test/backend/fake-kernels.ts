/** Fake sessions and kernels for the tests of the helper kernel. */

import { ServerConnection, type ServiceManager } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { HelperKernelBackend } from '../../src/backend/helper-kernel';
import { HELPER_NAME, KernelSearch } from '../../src/backend/kernel-search';
import { type InstallationRecord, SpecMemory } from '../../src/backend/spec-memory';
import { FakeTimers } from '../countdown/fakes';
import { fakeLock } from '../fakes';

/** How a kernel spec behaves. */
export type SpecBehavior =
  | 'has-package'
  | 'without-package'
  | 'does-not-start'
  | 'dies'
  | 'never-answers'
  | 'starts-late'
  | 'unreachable';

const HANGS = new Promise<never>(() => undefined);

/** Sessions and kernels of a server, whose results are set by the test. */
export class FakeKernels {
  readonly startedSpecs: string[] = [];
  readonly running = new Map<string, string>();
  readonly stored = new Map<string, string>();
  readonly expressions: string[] = [];
  readonly heartbeats: string[] = [];
  readonly timers = new FakeTimers();
  readonly events: unknown[] = [];
  readonly lock = fakeLock();
  specs: Record<string, SpecBehavior> = { py: 'has-package', conda: 'has-package' };
  /** The spec of an open notebook; empty when there is none. */
  notebookSpec = '';
  record: InstallationRecord = { kernel: '', activate: '', version: '1.0', installedAtMs: 0 };
  response = `'{"status": 200, "body": {"ok": true}}'`;
  /** Return the result of an expression that is no probe, or throw. */
  evaluate = (): string => this.response;
  /** Send a message that is not a response. */
  sendMessage: (message: object) => void = () => undefined;
  /** Report a status of the kernel that started last. */
  setStatus: (status: string) => void = () => undefined;
  setConnectionStatus: (status: string) => void = () => undefined;
  /** Let the kernels that start late start. */
  startLate: () => void = () => undefined;

  readonly #late = new Promise<void>((resolve) => {
    this.startLate = resolve;
  });

  readonly #connectTo = ({ model }: { model: { id: string } }): object => {
    const spec = this.running.get(model.id) ?? '';
    const kernel = this.#kernel(spec);
    const signals = { iopubMessage: new Signal<object, object>({}) };
    const connection = new Signal<object, string>({});
    this.sendMessage = (message) => {
      signals.iopubMessage.emit(message);
    };
    this.setConnectionStatus = (status) => {
      connection.emit(status);
    };
    const session = {
      ...{ id: model.id, kernel, isDisposed: false, statusChanged: kernel.statusChanged },
      ...{ ...signals, connectionStatusChanged: connection },
      dispose: () => {
        session.isDisposed = true;
      },
      shutdown: () => {
        this.running.delete(model.id);
        return Promise.resolve();
      },
    };
    return session;
  };

  #kernel(spec: string) {
    const behavior = this.specs[spec];
    const statusChanged = new Signal<object, string>({});
    this.setStatus = (status) => {
      statusChanged.emit(status);
    };
    if (behavior === 'dies') {
      void Promise.resolve().then(() => {
        statusChanged.emit('autorestarting');
      });
    }
    const hangs = behavior === 'never-answers' || behavior === 'dies';
    const info = behavior === 'starts-late' ? this.#late : hangs ? HANGS : Promise.resolve();
    return {
      info,
      statusChanged,
      requestCommInfo: ({ target_name: target }: { target_name: string }) => {
        this.heartbeats.push(target);
        return Promise.resolve();
      },
      requestExecute: ({
        user_expressions: { result: expression },
      }: {
        user_expressions: { result: string };
      }) => {
        const isProbe = expression.includes('find_spec');
        if (!isProbe) {
          this.expressions.push(expression);
        }
        const answer = (): string =>
          isProbe ? (behavior === 'without-package' ? 'False' : 'True') : this.evaluate();
        const done = info.then(() => {
          const data = { 'text/plain': answer() };
          return { content: { user_expressions: { result: { status: 'ok', data } } } };
        });
        return { done };
      },
    };
  }

  /** Start a session, as another page or browser does. */
  start(spec: string): { id: string } {
    const id = `s-${spec}`;
    this.startedSpecs.push(spec);
    this.running.set(id, spec);
    return { id };
  }

  readonly #models = () => [
    ...[...this.running].map(([id, spec]) => ({
      ...{ id, name: HELPER_NAME, type: 'modelarts-helper', kernel: { name: spec } },
    })),
    ...(this.notebookSpec
      ? [{ id: 'n', name: 'a.ipynb', type: 'notebook', kernel: { name: this.notebookSpec } }]
      : []),
  ];

  readonly serviceManager = {
    serverSettings: ServerConnection.makeSettings({ baseUrl: 'http://server/user/a/', token: '' }),
    sessions: {
      refreshRunning: () => Promise.resolve(),
      running: () => this.#models(),
      connectTo: this.#connectTo,
      startNew: ({ kernel: { name } }: { kernel: { name: string } }) => {
        const behavior = this.specs[name];
        if (behavior === 'does-not-start' || behavior === 'unreachable') {
          this.startedSpecs.push(name);
          const status = behavior === 'unreachable' ? 502 : 500;
          return Promise.reject(
            new ServerConnection.ResponseError(new Response(null, { status }), 'failed'),
          );
        }
        return Promise.resolve(this.#connectTo({ model: this.start(name) }));
      },
    },
  };

  readonly storage = {
    getItem: (name: string) => this.stored.get(name) ?? null,
    setItem: (name: string, value: string) => {
      this.stored.set(name, value);
    },
  };

  /** Create a backend, as a page does. */
  createBackend(): HelperKernelBackend {
    const { storage, timers, lock } = this;
    const kernelspecs = {
      ready: Promise.resolve(),
      specs: {
        default: 'py',
        kernelspecs: {
          ir: { language: 'R' },
          ...Object.fromEntries(
            Object.keys(this.specs).map((name) => [name, { language: 'python' }]),
          ),
        },
      },
    };
    const serviceManager = {
      ...this.serviceManager,
      kernelspecs,
    } as unknown as ServiceManager.IManager;
    const memory = new SpecMemory({ storage, timers, serverUrl: 'http://server/user/a/' });
    const loadRecord = (): Promise<InstallationRecord> => Promise.resolve(this.record);
    const search = new KernelSearch({ serviceManager, memory, loadRecord, timers });
    const onEvent = (event: unknown): void => void this.events.push(event);
    return new HelperKernelBackend({ search, memory, lock, timers, onEvent });
  }
}
