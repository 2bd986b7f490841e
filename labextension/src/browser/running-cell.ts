/** Finds the cell that runs in the document in front. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { Widget } from '@lumino/widgets';

/** The part of the shell with the document in front. */
export type FrontShell = Pick<JupyterFrontEnd.IShell, 'currentWidget' | 'currentChanged'>;

/** The session of a document, as far as it is used. */
export interface DocumentSession {
  /** Emitted when the status of the kernel has changed. */
  readonly statusChanged: {
    connect(slot: () => void): boolean;
    disconnect(slot: () => void): boolean;
  };
  /** The session; `null` without a kernel. */
  readonly session: {
    readonly name: string;
    readonly path: string;
    readonly kernel: { readonly id: string; readonly status: string } | null;
  } | null;
}

/** A notebook or a console, as far as it is used. */
interface FrontDocument {
  readonly sessionContext?: DocumentSession;
  readonly context?: { readonly sessionContext?: DocumentSession };
  readonly content?: { readonly widgets?: readonly { readonly promptNode?: Node | null }[] };
}

/** A kernel that runs a cell. */
export interface RunningCell {
  /** The id of the kernel. */
  readonly kernelId: string;
  /** The name of the notebook. */
  readonly name: string;
}

/** Return the session of a document; `null` for another widget. */
export function sessionOf(widget: Widget | null): DocumentSession | null {
  const { sessionContext, context } = (widget ?? {}) as FrontDocument;
  return sessionContext ?? context?.sessionContext ?? null;
}

/** Return the kernel in front that runs a cell; `null` when there is none. */
export function findRunningCell({ currentWidget }: FrontShell): RunningCell | null {
  const session = sessionOf(currentWidget)?.session;
  const kernel = session?.kernel;
  if (!kernel) {
    return null;
  }
  const isRunning = kernel.status === 'busy' || hasRunningCell(currentWidget as FrontDocument);
  return isRunning ? { kernelId: kernel.id, name: session.name || session.path } : null;
}

/** A kernel may report that it is idle while a cell runs, for example after a message of a widget. */
function hasRunningCell({ content }: FrontDocument): boolean {
  return (content?.widgets ?? []).some((each) => each.promptNode?.textContent?.includes('*'));
}
