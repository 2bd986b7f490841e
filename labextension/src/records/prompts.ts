/** Reports which kernels wait for an answer to `input()` in this page, because a prompt reaches no one else. */

import { type DocumentSession, type FrontShell, sessionOf } from '../browser/running-cell';
import type { IManager } from '../tokens';

/** The connection to a kernel, as far as it is used. */
interface PromptingKernel {
  readonly id: string;
  readonly hasPendingInput: boolean;
  readonly pendingInput: { connect(slot: (sender: unknown, isPending: boolean) => void): boolean };
}

/** Follows the kernels of all documents that have been in front, and reports their prompts. */
export class PromptReports {
  readonly #shell: FrontShell;
  readonly #manager: IManager;
  readonly #followed = new WeakSet();
  readonly #waiting = new Set<string>();
  #wasKept = false;

  constructor(shell: FrontShell, manager: IManager) {
    this.#shell = shell;
    this.#manager = manager;
    shell.currentChanged?.connect(this.#followDocument);
    manager.changed.connect(this.#repeat);
    this.#followDocument();
  }

  readonly #followDocument = (): void => {
    const session = sessionOf(this.#shell.currentWidget);
    if (session && this.#isNew(session)) {
      // Also reports another kernel, whose connection is another one.
      session.statusChanged.connect(() => {
        this.#followKernel(session);
      });
      this.#followKernel(session);
    }
  };

  #followKernel({ session }: DocumentSession): void {
    const kernel = session?.kernel as PromptingKernel | null | undefined;
    if (kernel && this.#isNew(kernel)) {
      kernel.pendingInput.connect((_, isPending) => {
        this.#onInput(kernel.id, isPending);
      });
      this.#onInput(kernel.id, kernel.hasPendingInput);
    }
  }

  #isNew(object: object): boolean {
    const isNew = !this.#followed.has(object);
    this.#followed.add(object);
    return isNew;
  }

  #onInput(id: string, waits: boolean): void {
    // A connection reports the end of a prompt more than once.
    if (waits !== this.#waiting.has(id)) {
      if (waits) {
        this.#waiting.add(id);
      } else {
        this.#waiting.delete(id);
      }
      this.#report(id, waits);
    }
  }

  /** Repeat the reports when the process that watches has been started: it knows of no earlier prompt. */
  readonly #repeat = (): void => {
    const isKept = !!this.#manager.payload?.keep;
    if (isKept && !this.#wasKept) {
      for (const id of this.#waiting) {
        this.#report(id, true);
      }
    }
    this.#wasKept = isKept;
  };

  #report(id: string, waits: boolean): void {
    void this.#manager.changeKeep({ action: 'report-input', id, waits });
  }
}
