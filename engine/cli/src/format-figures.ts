/** Figures as people read them. */

/** 1234567 → '1.23 M'. */
export function formatCount(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  return String(Math.round(value));
}

/** 1500 → '1.5 KB'. */
export function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  if (bytes >= 1e3) return `${(bytes / 1e3).toFixed(1)} KB`;
  return `${bytes} B`;
}

/** 75 → '1 min 15 s'. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** 0.414 → '41 %'. */
export function formatShare(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** A watermark, to the minute, in UTC. */
export function formatWatermark(watermark: number): string {
  if (watermark === Number.NEGATIVE_INFINITY) return '-';
  if (watermark === Number.POSITIVE_INFINITY || Math.abs(watermark) > 8.64e15) return 'end';
  return new Date(watermark).toISOString().slice(0, 16).replace('T', ' ');
}

/** Cuts what is longer than `length`. */
export function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}…`;
}
