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
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
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
