"""From solids in metres to pixels: meshes, camera, raster, shading."""
