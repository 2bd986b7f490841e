/** Lists of saved documents, and the sentence about a stop after which nothing responds. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { formatterFor, formatTime } from '../countdown/format';
import type { IManager, SaveReport, UnsavedDocument } from '../tokens';

/** Join sentences; in Chinese there is no space after a full stop. */
export function joinSentences(...sentences: readonly string[]): string {
  return sentences.filter(Boolean).join(' ').replace(/。 /g, '。');
}

/** Return a list, separated as in the language of the page. */
export function listText(trans: TranslationBundle, items: readonly string[]): string {
  return items.join(trans.__(', '));
}

/** Return a list of documents that were not saved, each with the reason. */
export function notSavedText(
  trans: TranslationBundle,
  documents: readonly UnsavedDocument[],
): string {
  const reasons: Readonly<Record<string, string>> = {
    'changed-on-disk': trans.__('changed on disk'),
    'no-file': trans.__('not saved to a file yet'),
    'folder-missing': trans.__('folder no longer exists'),
    'read-only': trans.__('is read-only'),
    'timed-out': trans.__('timed out'),
    failed: trans.__('could not be written'),
  };
  return listText(
    trans,
    documents.map(({ path, reason }) => trans.__('%1 (%2)', path, reasons[reason] ?? reason)),
  );
}

/**
 * Return the sentences about a stop after which nothing responds; empty when there is none.
 *
 * @param trans - the translations
 * @param manager - provides the stop and the saved documents
 * @param maxLength - with a longer text, the documents are counted instead of listed
 */
export function presumedStopText(
  trans: TranslationBundle,
  manager: IManager,
  maxLength = Infinity,
): string {
  const { presumedStop, savedBeforeStop, clock } = manager;
  if (presumedStop === null) {
    return '';
  }
  const time = formatTime(formatterFor(''), presumedStop.stopsAtMs, clock.now());
  const [stopped, advice] = presumedStop.isConfirmed
    ? [
        trans.__('Stopped at %1 by auto-stop (the server no longer answers).', time),
        trans.__('Start it again in the console.'),
      ]
    : [
        trans.__(
          'The last known stop time, %1, has passed and the server no longer answers.',
          time,
        ),
        trans.__('If the instance has stopped, start it again in the console.'),
      ];
  const join = (...saved: string[]): string => joinSentences(stopped, ...saved, advice);
  const text = join(...savedTexts(trans, savedBeforeStop, false));
  return text.length > maxLength ? join(...savedTexts(trans, savedBeforeStop, true)) : text;
}

/** Return the sentences about saved documents and about those not saved, with names or numbers. */
function savedTexts(
  trans: TranslationBundle,
  report: SaveReport | null,
  asNumbers: boolean,
): string[] {
  const { saved, notSaved } = report ?? { saved: [], notSaved: [] };
  const countText = (count: number): string => trans._n('%1 document', '%1 documents', count);
  return [
    ...(saved.length > 0
      ? [trans.__('Saved: %1.', asNumbers ? countText(saved.length) : listText(trans, saved))]
      : []),
    ...(notSaved.length > 0
      ? [
          trans.__(
            'Not saved: %1.',
            asNumbers ? countText(notSaved.length) : notSavedText(trans, notSaved),
          ),
        ]
      : []),
  ];
}
