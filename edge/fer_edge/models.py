"""What bundles are here, what one says of itself, and whether it can prove it: `fer-edge models`."""

from __future__ import annotations

from typing import Any

from fer_edge.bundle import Artifact, Bundle, Quality, available
from fer_edge.classifier import load
from fer_edge.errors import ExitCode, FerEdgeError, RuntimeUnavailable

SCHEMA_VERSION = 1

Row = dict[str, Any]


def listing() -> list[Row]:
    """Every bundle that can be named: `name`, `path`, and its artifacts, or the reason why it is refused."""
    rows: list[Row] = []
    for path in available():
        try:
            manifest = Bundle.open(path).manifest
        except FerEdgeError as error:
            rows.append({"name": path.name, "path": str(path), "refused": str(error)})
            continue
        artifacts = [{"artifact": each.id, "size_bytes": each.size_bytes} for each in manifest.artifacts]
        rows.append({"name": manifest.name, "path": str(path), "labels": list(manifest.labels), "artifacts": artifacts})
    return rows


def listing_text(rows: list[Row]) -> str:
    """A line per bundle."""
    lines = []
    for row in rows:
        if "refused" in row:
            lines.append(f"{row['name']:16} refused: {row['refused']}")
        else:
            artifacts = ", ".join(
                f"{each['artifact']} {each['size_bytes'] / 1024:.0f} KiB" for each in row["artifacts"]
            )
            lines.append(f"{row['name']:16} {len(row['labels'])} labels  {artifacts}  {row['path']}")
    return "\n".join(lines)


def shown(bundle: Bundle) -> Row:
    """The whole manifest, with where it lies and its hash."""
    manifest = bundle.manifest.model_dump(mode="json")
    return {"path": str(bundle.path), "manifest_sha256": bundle.sha256, **manifest}


def shown_text(bundle: Bundle) -> str:
    """What a person wants to know of a bundle."""
    manifest = bundle.manifest
    lines = [
        f"{manifest.name} at {bundle.path} (manifest SHA-256 {bundle.sha256})",
        f"  {manifest.card.summary}",
        f"  labels: {', '.join(manifest.labels)}",
        f"  input: {manifest.preprocess.size} x {manifest.preprocess.size} {manifest.preprocess.color}",
    ]
    lines += [f"  {each.id}: {each.size_bytes} bytes, {_quality(each.quality)}" for each in manifest.artifacts]
    lines += [
        f"  data: {manifest.card.data_terms}",
        f"  for: {manifest.card.intended_use}",
        f"  limits: {manifest.card.limits}",
    ]
    return "\n".join(lines)


def verified(bundle: Bundle) -> tuple[list[Row], ExitCode]:
    """Hash, load and run every artifact; the rows, and the worst exit code met.

    One whose runtime is not installed is hashed alone, which is no fault while another of the bundle runs.
    """
    rows = [_verified(bundle, artifact) for artifact in bundle.manifest.artifacts]
    codes = [row.pop("code") for row in rows]
    failed = [code for code in codes if code not in (ExitCode.OK, ExitCode.UNAVAILABLE)]
    if failed or ExitCode.OK in codes:
        return rows, max(failed, default=ExitCode.OK)
    return rows, ExitCode.UNAVAILABLE


def _verified(bundle: Bundle, artifact: Artifact) -> Row:
    row: Row = {"artifact": artifact.id, "format": artifact.format, "precision": artifact.precision, "reason": None}
    try:
        runtime = load(bundle, artifact).runtime
    except RuntimeUnavailable as error:  # raised after the files were hashed
        return {**row, "reason": f"whole, but not run: {error}", "code": error.exit_code}
    except FerEdgeError as error:
        return {**row, "reason": str(error), "code": error.exit_code}
    row["runtime"] = f"{runtime.name} {runtime.version}"
    row["effective_precision"] = runtime.effective_precision
    return {**row, "code": ExitCode.OK}


def verified_text(rows: list[Row]) -> str:
    """A line per artifact."""
    return "\n".join(f"{row['artifact']}: {row['reason'] or 'ok in ' + row['runtime']}" for row in rows)


def _quality(quality: Quality | None) -> str:
    if quality is None:
        return "not measured"
    low, high = quality.top1_ci95
    text = f"top-1 {quality.top1:.2%} ({low:.1%} to {high:.1%}, n={quality.n})"
    if quality.drop_pp is not None:
        text += f", drop {quality.drop_pp:+.2f} points"
    return text + (f", agreement {quality.agreement:.2%}" if quality.agreement is not None else "")
