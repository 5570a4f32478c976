// What the numbers of a label mean: the rules of wadlib/labels.py.

export const BACKGROUND = 255; // no instance (real label files have 255, not 0)
export const IGNORE = 65535; // counts neither for nor against anybody
export const CODES = 65536; // a table by code has this many rows

/** Class id of a code; 0 for background, IGNORE and everything else that is no instance. */
export function classOf(code) {
  return code === IGNORE || code < 1000 ? 0 : Math.floor(code / 1000);
}

/** Name of a class; a class that the table does not know is called by its number. */
export function className(config, id) {
  return config.names[id] ?? `class ${id}`;
}

/** "car 7": class and instance number of a code. */
export function codeName(config, code) {
  return `${className(config, classOf(code))} ${code % 1000}`;
}

/** Whether the class takes part in the evaluation (riders, say, do not). */
export function isEvaluated(config, id) {
  return config.classes.some((row) => row.id === id);
}
