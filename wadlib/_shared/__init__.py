"""What several rooms need and none owns: files, parallel work, 16-bit PNG, compiled functions."""
