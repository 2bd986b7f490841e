/** The modified documents of this tab, found with JupyterLab's document manager. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { Contents } from '@jupyterlab/services';
import type { DirtyDocument, SaveBlocker } from './autosave';

type DocumentContext = NonNullable<ReturnType<IDocumentManager['contextForWidget']>>;

/** The modification times of a file system may differ by this much. */
const TIMESTAMP_TOLERANCE_MS = 500;

/** Return the modified documents, each once even if it is open in several views. */
export function dirtyDocuments(
  shell: JupyterFrontEnd.IShell,
  documents: IDocumentManager,
): readonly DirtyDocument[] {
  const contexts = new Set<DocumentContext>();
  for (const widget of shell.widgets('main')) {
    const context = documents.contextForWidget(widget);
    if (context?.model.dirty) {
      contexts.add(context);
    }
  }
  return [...contexts].map((context) => ({
    key: context,
    path: context.path,
    findBlocker: () => findBlocker(context, documents.services.contents),
    save: () => context.save(),
  }));
}

/** Return why saving would show a prompt and wait for a user; `null` if it would not. */
async function findBlocker(
  context: DocumentContext,
  contents: Contents.IManager,
): Promise<SaveBlocker | null> {
  const saved = context.contentsModel;
  if (!saved) {
    return 'no-file';
  }
  if (!saved.writable) {
    return 'read-only';
  }
  try {
    const onDisk = await contents.get(context.path, { content: false, hash: true });
    return hasChangedOnDisk(saved, onDisk) ? 'changed-on-disk' : null;
  } catch (error) {
    if (isNotFound(error)) {
      return findMissingFolder(context.path, contents);
    }
    throw error;
  }
}

/** Check the folder of a deleted file. If it exists, saving creates the file without a prompt. */
async function findMissingFolder(
  path: string,
  contents: Contents.IManager,
): Promise<SaveBlocker | null> {
  try {
    await contents.get(PathExt.dirname(path), { content: false });
    return null;
  } catch (error) {
    if (isNotFound(error)) {
      return 'folder-missing';
    }
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return (error as { response?: Response }).response?.status === 404;
}

type FileVersion = Pick<Contents.IModel, 'hash' | 'last_modified'>;

function hasChangedOnDisk(saved: FileVersion, onDisk: FileVersion): boolean {
  if (saved.hash && onDisk.hash) {
    return saved.hash !== onDisk.hash;
  }
  const laterByMs = Date.parse(onDisk.last_modified) - Date.parse(saved.last_modified);
  return laterByMs > TIMESTAMP_TOLERANCE_MS;
}
